import { z } from "zod";
import type { RunSpec } from "./run-spec.js";
import type { SeededStep } from "./seed.js";

/** A step of the run that is forked. A fork takes its end for its own step with the same key and iteration. */
export const TakenStep = z.object({
  step_number: z.int(),
  /** The key in the definition. */
  step_id: z.string(),
  iteration: z.int(),
});
export type TakenStep = z.infer<typeof TakenStep>;

/** What a fork would make of the steps that had ended before it; nothing was begun. Each of them is in one of the lists. */
export const ForkDryRun = z.object({
  run_id: z.string(),
  /** Of the workflow: what the fork would carry out. */
  revision: z.int(),
  /** The first step that would be done anew. */
  step_number: z.int(),
  /** Taken over as they ended. */
  reused: z.array(TakenStep),
  /** Taken over as they ended, too, although the fork says something else of them, or would give them something else. */
  changed: z.array(TakenStep),
  /** Not used: the fork does not come to a step like them. */
  missing: z.array(TakenStep),
  /** Whether they are used, or are still the same, shows only when what comes before them is done. */
  unknown: z.array(TakenStep),
});
export type ForkDryRun = z.infer<typeof ForkDryRun>;

/** Which list a step is in. */
export type Fate = "reused" | "changed" | "missing" | "unknown";

/** What a run is started with that begins with these steps' ends, in the order in which they ended. */
export interface Trial {
  spec: RunSpec;
  steps: SeededStep[];
}

/** A fork that is tried out without doing anything, and the run that it would be a fork of. Both have that one's id. */
export interface ForkTrial {
  own: Trial;
  fork: Trial;
}
