import { proxySinks, type Sinks, workflowInfo } from "@temporalio/workflow";
import type { Fact, FactBody } from "../contract/fact.js";

export interface NarrationSinks extends Sinks {
  narration: { tell(fact: Fact): void };
}

/** Tells one fact; `at` where an activity knows the moment better than the workflow's clock. */
export interface Narrator {
  tell(body: FactBody, at?: string): void;
  /** The fact that would be told next, for the close gate to write and `tell` to repeat. */
  next(body: FactBody): Fact;
}

/**
 * Tells the projection what happened, one numbered fact at a time.
 *
 * Telling costs no Temporal action: a sink hands the fact to the worker's main thread. A lost fact is told
 * again, word for word, when the history is replayed.
 */
export function narrator(runId: string): Narrator {
  const { narration } = proxySinks<NarrationSinks>();
  const execution = workflowInfo().runId;
  let told = 0;
  const fact = (body: FactBody, seq: number, at?: string): Fact => ({
    ...body,
    run_id: runId,
    execution,
    seq,
    at: at ?? new Date().toISOString(),
  });

  return {
    tell: (body, at) => narration.tell(fact(body, ++told, at)),
    next: (body) => fact(body, told + 1),
  };
}
