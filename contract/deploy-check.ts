import { z } from "zod";
import type { Fate, ForkTrial } from "./fork-dry-run.js";
import { RunStatus } from "./run.js";
import type { Program } from "./run-spec.js";
import { StepKind } from "./step.js";

/** A step as a run has begun it, or would, and where its definition says so; lines count from 1. */
export const CheckedStep = z.object({
  number: z.int(),
  key: z.string(),
  kind: StepKind,
  /** How many steps with this key came before, plus 1. */
  iteration: z.int(),
  file: z.string().nullable(),
  line: z.int().nullable(),
});
export type CheckedStep = z.infer<typeof CheckedStep>;

/** Where a run would go another way than it has gone. */
export const ReplayBreak = z.object({
  run_id: z.string(),
  workflow_id: z.string(),
  workflow_name: z.string(),
  /** What the run carries out, whatever comes after it. */
  revision: z.int(),
  status: RunStatus,
  /** What it did there; null when it did nothing more. */
  step: CheckedStep.nullable(),
  /** What it would do; null when that would be nothing, or cannot be seen. */
  instead: CheckedStep.nullable(),
  /** Where to look: in what is checked, where that says something of the place, else in what the run carries out. */
  file: z.string().nullable(),
  line: z.int().nullable(),
  message: z.string(),
});
export type ReplayBreak = z.infer<typeof ReplayBreak>;

/** What a fork of a run to the checked definition would take over; steps by their keys. */
export const ForkOutlook = z.object({
  run_id: z.string(),
  revision: z.int(),
  status: RunStatus,
  /** As they ended. */
  reused: z.array(z.string()),
  /** As they ended, too, although the definition now says something else of them. */
  changed: z.array(z.string()),
  /** Code names them, but goes another way before: as they ended, if it comes to them. */
  perhaps: z.array(z.string()),
  /** Their results are not used: no step is called so now. */
  dropped: z.array(z.string()),
});
export type ForkOutlook = z.infer<typeof ForkOutlook>;

/** What replays of recorded runs say of a definition, or of a build of Longhaul, before it is put to use. */
export const DeployCheck = z.object({
  /** No open run would go another way. */
  ok: z.boolean(),
  /** The folder and version of the build that was checked; null when it was a definition. */
  build: z.object({ folder: z.string(), version: z.string() }).nullable(),
  /** Of a checked definition: the revision that it is, or would be. */
  revision: z.int().nullable(),
  /** How many runs were replayed. */
  open: z.int(),
  closed: z.int(),
  breaks: z.array(ReplayBreak),
  /** Runs of which nothing can be said: the build that is at work does not replay them either, or their history is not to be had. */
  unknown: z.array(z.object({ run_id: z.string(), message: z.string() })),
  /** How many open runs stay on which revision: a run is moved by a fork alone. Of a definition; empty for a build. */
  stay: z.array(z.object({ revision: z.int(), runs: z.int() })),
  /** Of a definition; empty for a build. */
  forks: z.array(ForkOutlook),
  took_ms: z.int(),
});
export type DeployCheck = z.infer<typeof DeployCheck>;

/** How many closed runs of a workflow are looked at besides the open ones. */
export const CLOSED_RUNS = 5;
export const MOST_CLOSED_RUNS = 100;

/** A changed definition of a workflow. */
export interface ChangedDefinition {
  workflow_id: string;
  /** The revision that it is, or would be. */
  revision: number;
  program: Program;
  /** As it is written. */
  text: string;
  closed: number;
}

/** Replays runs before something new is put to use. Handed to the API by whoever starts it. */
export interface DeployChecker {
  definition(given: ChangedDefinition): Promise<DeployCheck>;
  /**
   * @param given.folder of an installed or built Longhaul, absolute. @param given.workflow_id left out: all workflows.
   * @throws {InvalidError} when no build is there.
   */
  build(given: { folder: string; workflow_id?: string | undefined; closed: number }): Promise<DeployCheck>;
  /** What a fork would make of each of its steps, in their order. */
  fork(given: ForkTrial): Promise<Fate[]>;
}
