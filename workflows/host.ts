import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  DeterminismViolationError,
  isCancellation,
  workflowInfo,
} from "@temporalio/workflow";
import type { Json } from "../contract/json.js";
import { isUnverified } from "../contract/messages.js";
import type { RunError, RunStatus } from "../contract/run.js";
import type { RunSpec } from "../contract/run-spec.js";
import { placeOf } from "../sdk/evaluate.js";
import { StepFailed } from "../sdk/step-failed.js";
import { createContext } from "./context.js";
import { Engine } from "./engine.js";
import { evaluate } from "./evaluate.js";
import { Life } from "./life.js";
import { listen } from "./messages.js";
import { type Narrator, narrator } from "./narrator.js";
import { closeGate } from "./proxies.js";

/** How a run ended. */
interface Ending {
  status: RunStatus;
  output: Json;
  error: RunError | null;
}

/**
 * Runs a workflow's code to its end: every run's Temporal workflow is this function.
 *
 * A start that Longhaul did not sign is refused before anything of it is read.
 */
export async function host(spec: RunSpec): Promise<Json> {
  const tell = narrator(workflowInfo().workflowId);
  if (isUnverified(spec) || spec.run_id !== workflowInfo().workflowId) {
    tell.tell({ type: "forgery.refused", what: "start" });
    throw ApplicationFailure.nonRetryable("This start was not signed by Longhaul.", "unauthorised_start");
  }
  const { program, ...header } = spec;
  tell.tell({ type: "run.created", run: { ...header, program: { kind: program.kind, file: program.file } } });

  // The run's own scope: one of ours within it would make each promise of the worker's thread dearer by what it hands down.
  const work = CancellationScope.current();
  let timedOut = false;
  const life = new Life(tell, spec.timeout_ms, () => {
    timedOut = true;
    work.cancel();
  });
  const engine = new Engine(spec, tell, life);
  listen(engine);

  life.start();
  const ending = await execute(engine).then(
    (output): Ending => ({ status: "completed", output, error: null }),
    (error: unknown) => endingOf(error, spec),
  );
  const cancelled = work.consideredCancelled;
  if (ending.status !== "completed") work.cancel();
  await engine.idle();
  life.end();

  return close(tell, spec, settle(ending, { timedOut, cancelled, spec }));
}

async function execute(engine: Engine): Promise<Json> {
  const definition = evaluate(engine.spec.program);
  const output = await definition.execute(createContext(engine));
  await engine.idle();
  return output === undefined ? null : (JSON.parse(JSON.stringify(output)) as Json);
}

/** Whatever the code threw fails the run; errors of Temporal's own must go on to Temporal. */
function endingOf(error: unknown, spec: RunSpec): Ending {
  if (error instanceof DeterminismViolationError) throw error;
  if (isCancellation(error)) return { status: "cancelled", output: null, error: null };
  if (error instanceof StepFailed) {
    return { status: "failed", output: null, error: { type: error.type, message: error.message, step_id: error.stepId } };
  }
  const place = placeOf(error, spec.program);
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  return {
    status: "failed",
    output: null,
    error: { type: name, message: place ? `${message} (${place.file}${place.line === null ? "" : `:${place.line}`})` : message },
  };
}

/** What the ending is called: a run that was stopped is not one that failed, whatever its code made of it. */
function settle(ending: Ending, { timedOut, cancelled, spec }: { timedOut: boolean; cancelled: boolean; spec: RunSpec }): Ending {
  if (timedOut) {
    const message = `The run took more than its ${spec.timeout_ms} ms of running time.`;
    return { status: "timed_out", output: null, error: { type: "timed_out", message } };
  }
  if (cancelled) return { status: "cancelled", output: null, error: null };
  if (ending.status === "cancelled") {
    return { status: "failed", output: null, error: { type: "cancelled", message: "A cancelled operation ended the run." } };
  }
  return ending;
}

/** The run's last act: when the gate opens, all that was told is in Postgres, the ending too. */
async function close(tell: Narrator, spec: RunSpec, { status, output, error }: Ending): Promise<Json> {
  const final = tell.next({ type: "run.finished", status, output, error });
  await closeGate({ run: { run_id: spec.run_id, project_path: spec.project_path }, final });
  tell.tell({ type: "run.finished", status, output, error }, final.at);

  if (status === "completed") return output;
  if (status === "cancelled") throw new CancelledFailure("The run was cancelled.");
  throw ApplicationFailure.nonRetryable(error?.message ?? status, error?.type ?? status);
}
