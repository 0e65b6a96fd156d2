import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  isCancellation,
  ParentClosePolicy,
  startChild,
  uuid4,
} from "@temporalio/workflow";
import type { ChildRequest } from "../contract/child.js";
import type { Json } from "../contract/json.js";
import { type Request, SIGNAL } from "../contract/messages.js";
import type { RunSpec } from "../contract/run-spec.js";
import type { StepOptions } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { defined, label } from "./call.js";
import { refuseInside } from "./deadline.js";
import type { Engine, Place } from "./engine.js";
import { activitiesFor } from "./proxies.js";
import { timed } from "./timed.js";

export interface ChildStart {
  /** Id, slug or name of a workflow of this project, or of a built-in one. */
  workflow: string;
  input: Json;
  /** How people see the run. Left out: the workflow's name. */
  runName?: string | undefined;
  /** @default "own" */
  workspace?: "own" | "parent" | undefined;
  /** Where a tree of its own begins. Left out: at what the project has checked out. */
  baseBranch?: string | undefined;
}

/**
 * A step that is a run of a workflow: with a row of its own, paused, resumed and cancelled with this one. Gives its output. Each try is
 * a new run; the first one's id is in the step's input.
 *
 * @throws {StepFailed} `child_failed` when it does not complete, with `{ run_id, status, error }` as output; `workflow_missing`,
 *   `workflow_disabled`, `workflow_broken`, `invalid_input`, `too_deep` when it cannot be started; `invalid_step` inside another step.
 */
export async function child(engine: Engine, key: string, start: ChildStart, options: StepOptions = {}): Promise<Json> {
  refuseInside(engine, key, "A run of another workflow");
  const first = childId();
  const { workflow, workspace } = start;
  const input = { workflow, input: start.input, run_id: first, ...defined({ workspace, base_branch: start.baseBranch }) };
  return engine.step({ kind: "workflow", key, options, input, apart: true }, (place) =>
    timed(async () => {
      const id = place.attempt + place.lost === 1 ? first : `${first}_${place.attempt + place.lost}`;
      const spec = await prepare(engine, place, { ...start, id });
      const budgets = engine.budgets.below();
      return runChild(engine, place, budgets.length > 0 ? { ...spec, budgets } : spec);
    }),
  );
}

function prepare(engine: Engine, place: Place, { id, ...start }: ChildStart & { id: string }): Promise<RunSpec> {
  const { program: _, continued: __, input: ___, ...parent } = engine.spec;
  const request: ChildRequest = {
    run_id: id,
    workflow: start.workflow,
    input: start.input,
    name: start.runName,
    workspace: start.workspace ?? "own",
    base_branch: start.baseBranch ?? null,
    parent,
  };
  return activitiesFor(label(place, start.workflow), {}).prepareChild(request);
}

async function runChild(engine: Engine, { step }: Place, spec: RunSpec): Promise<Json> {
  try {
    const handle = await startChild(spec.workflow_name, {
      workflowId: spec.run_id,
      args: [spec],
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      workflowIdReusePolicy: "REJECT_DUPLICATE",
      staticSummary: spec.name === spec.workflow_name ? spec.name : `${spec.workflow_name}: ${spec.name}`,
      memo: { run: spec.name, revision: spec.workflow_revision },
    });
    const leave = engine.children.join((signal, request) => handle.signal(signal, request));
    try {
      return (await handle.result()) as Json; // what runs give is JSON
    } finally {
      leave();
    }
  } catch (error) {
    if (isCancellation(error) && CancellationScope.current().consideredCancelled) throw error;
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    throw failureOf(error, step.key, spec);
  }
}

function failureOf({ cause }: ChildWorkflowFailure, key: string, { run_id, workflow_name }: RunSpec): StepFailed {
  const status = cause instanceof CancelledFailure ? "cancelled" : isTimeout(cause) ? "timed_out" : "failed";
  const type = cause instanceof ApplicationFailure ? (cause.type ?? "failed") : status;
  const error = { type, message: cause?.message ?? "It did not complete." };
  const how = status === "cancelled" ? "was cancelled" : `${status.replace("_", " ")}: ${error.message}`;
  return new StepFailed(key, "child_failed", `The run ${run_id} of ${workflow_name} ${how}`, { run_id, status, error });
}

function isTimeout(cause: Error | undefined): boolean {
  return cause instanceof ApplicationFailure && cause.type === "timed_out";
}

/** As `newId`, from the workflow's own random numbers: the same at every replay. */
function childId(): string {
  return `run_${Date.now().toString(36).padStart(9, "0")}${uuid4().replaceAll("-", "").slice(0, 12)}`;
}

type Tell = (signal: string, request: Request) => Promise<void>;

/** The child runs that are under way. They are paused and resumed with their parent. */
export class Children {
  private readonly tells = new Set<Tell>();
  private paused: Request | null = null;

  /** @returns what to call when the child has ended. */
  join(tell: Tell): () => void {
    this.tells.add(tell);
    if (this.paused) send(tell, SIGNAL.pause, this.paused);
    return () => void this.tells.delete(tell);
  }

  /** Those that are paused already hear it, too: this one may stop what goes on. */
  pause(request: Request): void {
    this.paused = { ...request, above: true };
    for (const tell of this.tells) send(tell, SIGNAL.pause, this.paused);
  }

  /** One that a person has paused by itself stays so. */
  resume(request: Request): void {
    this.paused = null;
    for (const tell of this.tells) send(tell, SIGNAL.resume, { ...request, above: true });
  }
}

function send(tell: Tell, signal: string, request: Request): void {
  tell(signal, request).catch(() => undefined); // it has ended: there is nothing to pause
}
