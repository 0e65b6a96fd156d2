import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  DeterminismViolationError,
  isCancellation,
  workflowInfo,
} from "@temporalio/workflow";
import type { Continuation } from "../contract/continuation.js";
import type { FactBody } from "../contract/fact.js";
import type { Json } from "../contract/json.js";
import { isUnverified } from "../contract/messages.js";
import type { Plan } from "../contract/plan.js";
import type { RunError, RunStatus } from "../contract/run.js";
import type { CodeProgram, RunSpec } from "../contract/run-spec.js";
import { toBudget } from "../sdk/budget.js";
import { placeOf } from "../sdk/evaluate.js";
import { StepFailed } from "../sdk/step-failed.js";
import { createContext } from "./context.js";
import { Engine } from "./engine.js";
import { evaluate } from "./evaluate.js";
import { HandOver } from "./hand-over.js";
import { Life } from "./life.js";
import { listen } from "./messages.js";
import { type Narrator, narrator } from "./narrator.js";
import { closeGate } from "./proxies.js";
import { goOnFrom, NotRestored } from "./restored.js";
import { withinResult } from "./run-output.js";
import { withSessions } from "./sessions.js";

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
  const tell = withSessions(narrator(workflowInfo().workflowId));
  if (isUnverified(spec) || spec.run_id !== workflowInfo().workflowId) {
    tell.tell({ type: "forgery.refused", what: "start" });
    throw ApplicationFailure.nonRetryable("This start was not signed by Longhaul.", "unauthorised_start");
  }
  const { program, continued: _, ...header } = spec;
  const { continuedFromExecutionRunId: continues } = workflowInfo();
  const run = { ...header, program: { kind: program.kind, file: program.file } };
  tell.tell({ type: "run.created", run, ...(continues === undefined ? {} : { continues }) });
  try {
    const continued = spec.continued ?? (spec.restore && (await goOnFrom(spec, spec.restore, tell)));
    return await live(continued ? { ...spec, continued } : spec, tell);
  } catch (thrown) {
    if (!(thrown instanceof NotRestored)) throw thrown;
    return close(tell, spec, { status: "failed", output: null, error: thrown.error });
  }
}

/** The run from the beginning of this execution to its end, or to that of the next one. */
async function live(spec: RunSpec, tell: Narrator): Promise<Json> {
  // The run's own scope: one of ours within it would make each promise of the worker's thread dearer by what it hands down.
  const work = CancellationScope.current();
  let timedOut = false;
  const life = new Life(
    tell,
    spec.timeout_ms,
    () => {
      timedOut = true;
      work.cancel();
    },
    spec.continued?.life,
  );
  const engine = new Engine(spec, tell, life);
  listen(engine);

  life.start({ isResuming: engine.resumption !== undefined });
  const running = execute(engine).then(
    (output): Ending => ({ status: "completed", output, error: null }),
    (error: unknown) => (error instanceof HandOver ? error : endingOf(error, spec)),
  );
  const ended = await Promise.race([
    running,
    engine.passes().then((): typeof PASSES => PASSES),
    engine.resume().then(
      () => running,
      (error: unknown) => endingOf(error, spec),
    ),
  ]);
  if (ended instanceof HandOver || ended === PASSES) {
    life.freeze();
    await gate(tell, spec, { type: "run.continued" });
    const progress = ended === PASSES ? { done: engine.done() } : { plan: ended.progress };
    const continued: Continuation = { engine: engine.handOver(), life: life.handOver(), ...progress };
    if (!work.consideredCancelled) return continueAsNew<typeof host>({ ...spec, continued });
    if (ended === PASSES) {
      life.thaw();
      engine.passage.cancel();
      await running;
    } else await ended.whenStopped();
  }
  const ending = ended instanceof HandOver || ended === PASSES ? STOPPED : ended;
  const cancelled = work.consideredCancelled;
  if (ending.status !== "completed") work.cancel();
  await engine.idle();
  life.end();

  return close(tell, spec, settle(ending, { timedOut, cancelled, spec }));
}

async function execute(engine: Engine): Promise<Json> {
  const { program } = engine.spec;
  const output = program.kind === "code" ? await runCode(engine, program) : await carryOut(engine, program.plan);
  await engine.idle();
  return output === undefined ? null : (JSON.parse(JSON.stringify(output)) as Json);
}

async function runCode(engine: Engine, program: CodeProgram): Promise<unknown> {
  const { budget, execute } = evaluate(engine, program);
  if (budget) engine.budgets.own = toBudget(budget);
  return execute(createContext(engine));
}

/** The interpreter is evaluated for runs of plans alone: each run's context evaluates all that it loads. */
async function carryOut(engine: Engine, plan: Plan): Promise<Json> {
  const { interpret } = await import(/* webpackMode: "eager" */ "./interpreter.js");
  return interpret(engine, plan);
}

/** Whatever the code threw fails the run; errors of Temporal's own must go on to Temporal. */
function endingOf(error: unknown, spec: RunSpec): Ending {
  if (error instanceof DeterminismViolationError) throw error;
  if (isCancellation(error)) return { status: "cancelled", output: null, error: null };
  if (error instanceof StepFailed) {
    return { status: "failed", output: null, error: { type: error.type, message: error.message, step_id: error.stepId } };
  }
  const place = spec.program.kind === "code" ? placeOf(error, spec.program) : null;
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  return {
    status: "failed",
    output: null,
    error: { type: name, message: place ? `${message} (${place.file}${place.line === null ? "" : `:${place.line}`})` : message },
  };
}

const PASSES = Symbol("passes");
const STOPPED: Ending = { status: "cancelled", output: null, error: null };

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

/** The run's last act. */
async function close(tell: Narrator, spec: RunSpec, ending: Ending): Promise<Json> {
  const { output, error = ending.error } = await withinResult(tell, spec, ending.output);
  const status = error === ending.error ? ending.status : "failed";
  await gate(tell, spec, { type: "run.finished", status, output, error });
  if (status === "completed") return output;
  if (status === "cancelled") throw new CancelledFailure("The run was cancelled.");
  throw ApplicationFailure.nonRetryable(error?.message ?? status, error?.type ?? status);
}

/** When the gate opens, all that was told is in Postgres, the last word too. Of a trial nothing is to be there. */
async function gate(tell: Narrator, { run_id, project_path, seed }: RunSpec, last: FactBody): Promise<void> {
  const final = tell.next(last);
  if (!seed?.tried) await closeGate({ run: { run_id, project_path }, final });
  tell.tell(last, final.at);
}
