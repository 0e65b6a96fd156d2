import { workflowInfo } from "@temporalio/workflow";
import type { Continuation, PlanProgress } from "../contract/continuation.js";
import { encode } from "./encoding.js";
import type { Engine } from "./engine.js";
import type { PlanState } from "./plan-state.js";

/** Thrown by a plan whose run is to go on in a further Temporal execution. */
export class HandOver extends Error {
  override readonly name = "HandOver";

  constructor(
    readonly progress: PlanProgress,
    /** Does what the plan has for any case, should the run be stopped before it goes on. */
    readonly whenStopped: () => Promise<void> = async () => {},
  ) {
    super("The run goes on in a further execution.");
  }
}

/** While something is under way, so many times as long: it would have to be waited for. */
const PATIENCE = 5;

/** Bytes of what an execution is started with: Temporal takes no argument near 2 MiB, and events may come while the gate is open. */
const MOST_HANDED_OVER = 1_500_000;

/** Events of history until it is looked again whether what was too large is so still. */
const LOOK_AGAIN = 600;

/** @throws {HandOver} when the next step is better begun in a further execution, and that can be given all it needs. */
export function handOverWhenLong(engine: Engine, state: PlanState): void {
  if (engine.resumption?.isOver === false) return; // it does not know yet how far the run has come
  const { historyLength } = workflowInfo();
  const { continue_after = 4_000 } = engine.spec;
  if (historyLength < continue_after * (engine.isIdle ? 1 : PATIENCE) || historyLength < state.lookAgainAt) return;
  engine.heldBack = reasonToStay(engine, state);
  if (engine.heldBack === undefined) throw new HandOver(state.progress());
  state.lookAgainAt = historyLength + LOOK_AGAIN;
}

function reasonToStay(engine: Engine, state: PlanState): string | undefined {
  if (engine.mailbox.isHeavy) return HEAVY_MAILBOX;
  const bytes = bytesOf(engine, { plan: state.progress() });
  if (bytes <= MOST_HANDED_OVER) return undefined;
  return `its plan, its input and what its steps gave have ${bytes} bytes, more than ${MOST_HANDED_OVER}`;
}

/** Why the run of a program cannot go on in a further execution; undefined when it can. */
export function obstacleTo(engine: Engine, unrepeatable?: string): string | undefined {
  if (unrepeatable !== undefined) {
    const instead = "ctx.sleep, ctx.waitForEvent, ctx.approve and steps are kept";
    return `its code uses ${unrepeatable} of Temporal directly, of which no further execution can know (${instead})`;
  }
  if (engine.mailbox.isHeavy) return HEAVY_MAILBOX;
  const bytes = bytesOf(engine, { done: engine.done() });
  if (bytes <= MOST_HANDED_OVER) return undefined;
  return `its code, its input, the list of its steps and what ctx.files and ctx.git have read for it have ${bytes} bytes, more than ${MOST_HANDED_OVER}`;
}

const HEAVY_MAILBOX = "the events that it has kept, and no step has taken, are too large";

function bytesOf(engine: Engine, progress: Pick<Continuation, "plan" | "done">): number {
  const continued: Continuation = { engine: engine.handOver(), life: engine.life.handOver(), ...progress };
  return encode(JSON.stringify({ ...engine.spec, continued })).length;
}
