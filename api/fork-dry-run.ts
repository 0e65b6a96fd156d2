import type { Fate, ForkDryRun, Trial } from "../contract/fork-dry-run.js";
import type { RunSpec } from "../contract/run-spec.js";
import type { Seed, SeededStep, SeedPage } from "../contract/seed.js";
import type { Database } from "../db/database.js";
import { getRunState } from "../db/runs.js";
import { readSeed, seededSteps } from "../db/seed.js";
import type { User } from "../db/tokens.js";
import type { ApiContext } from "./context.js";
import { type ForkBody, prepareFork, programOf } from "./fork-run.js";

/** Of all the steps' outputs together; of a run that gave more nothing can be said beforehand. */
const MOST_CHARS = 32_000_000;

/** Higher than the number of any step. */
const BEYOND = 2 ** 31 - 1;

/**
 * Say what a fork would make of the steps before it. It is checked as a fork is, and begins nothing.
 *
 * @throws as `prepareFork`
 */
export async function dryRunFork(context: ApiContext, id: string, body: ForkBody, user: User): Promise<ForkDryRun> {
  const { db } = context;
  const { spec: forked, workflow } = await prepareFork(context, id, body, user);
  const state = await getRunState(db, id);
  const { seed: _, restore: __, ...header } = state.header;
  const own: RunSpec = { ...header, program: await programOf(context, state, undefined) };
  const { seed, ...more } = forked;
  const fork: RunSpec = { ...header, ...more, workflow_revision: workflow.revision };
  const whole = { run_id: id, before: BEYOND };
  const trials = await Promise.all([trialOf(db, own, whole), trialOf(db, fork, { ...seed, ...whole })]);
  const fates = await fatesOf(context, trials);
  const dryRun: ForkDryRun = {
    run_id: id,
    revision: workflow.revision,
    step_number: body.step_number,
    reused: [],
    changed: [],
    missing: [],
    unknown: [],
  };
  const before = await seededSteps(db, { run_id: id, before: body.step_number });
  for (const { number, key, iteration } of before.toSorted((a, b) => a.number - b.number))
    dryRun[fates.get(number) ?? "unknown"].push({ step_number: number, step_id: key, iteration });
  return dryRun;
}

async function fatesOf({ checker }: ApiContext, [own, fork]: readonly (Trial | undefined)[]): Promise<Map<number, Fate>> {
  if (!own || !fork) return new Map();
  const fates = await checker.fork({ own, fork });
  return new Map(fates.map((fate, i) => [fork.steps[i]?.number ?? 0, fate]));
}

/** Undefined when its steps gave too much. */
async function trialOf(db: Database, spec: RunSpec, seed: Seed): Promise<Trial | undefined> {
  const steps: SeededStep[] = [];
  let chars = 0;
  for (let next: number | null = 0; next !== null; ) {
    const page: SeedPage = await readSeed(db, seed, next);
    chars += JSON.stringify(page.steps).length;
    if (chars > MOST_CHARS) return undefined;
    steps.push(...page.steps);
    next = page.next;
  }
  return { spec, steps };
}
