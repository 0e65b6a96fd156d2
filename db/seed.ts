import { and, eq, inArray, isNotNull, lt } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import type { JsonObject } from "../contract/json.js";
import type { DoneRequest, DoneStep, Seed, SeededStep, SeedPage } from "../contract/seed.js";
import type { Database } from "./database.js";
import { checkpoints, runs, steps } from "./schema.js";

/** Characters of a page's steps: it goes through the history as an activity's result. */
const PAGE_CHARS = 500_000;
const PAGE_STEPS = 500;

/** Which of a run's steps a seed takes. */
export interface SeededBrief {
  number: number;
  key: string;
  iteration: number;
  status: "completed" | "failed";
}

/** The steps that a seed takes, in the order in which they ended. */
export async function seededSteps(db: Database, { run_id, before }: Pick<Seed, "run_id" | "before">): Promise<SeededBrief[]> {
  const rows = await db.orm
    .select({
      number: steps.stepNumber,
      key: steps.stepKey,
      iteration: steps.iteration,
      status: steps.status,
      execution: steps.execution,
      seq: steps.statusSeq,
    })
    .from(steps)
    .where(
      and(
        eq(steps.runId, run_id),
        lt(steps.stepNumber, before),
        eq(steps.superseded, false),
        inArray(steps.status, ["completed", "failed"]),
      ),
    )
    .orderBy(steps.stepNumber);
  const executions = [...new Set(rows.map(({ execution }) => execution))]; // the later one has the higher numbers
  const age = (execution: string | null) => executions.indexOf(execution);
  return rows
    .toSorted((a, b) => age(a.execution) - age(b.execution) || a.seq - b.seq)
    .map(({ status, execution: _, seq: __, ...step }) => ({ ...step, status: status === "failed" ? "failed" : "completed" }));
}

/**
 * The next steps of a seed, from the given one on.
 *
 * @throws {NotFoundError} when the run has been deleted.
 */
export async function readSeed(db: Database, seed: Seed, from: number): Promise<SeedPage> {
  const all = await seededSteps(db, seed);
  if (all.length === 0) {
    const [run] = await db.orm.select({ id: runs.id }).from(runs).where(eq(runs.id, seed.run_id));
    if (!run) throw new NotFoundError("run", seed.run_id);
  }
  const wanted = all.slice(from, from + PAGE_STEPS).map(({ number }) => number);
  const read = await wholeSteps(db, seed, wanted);
  const page: SeededStep[] = [];
  let chars = 0;
  for (const step of read) {
    chars += JSON.stringify(step).length;
    if (page.length > 0 && chars > PAGE_CHARS) break;
    page.push(step);
  }
  const next = from + page.length;
  return { steps: page, next: next < all.length ? next : null };
}

/** In the order of the numbers given. */
async function wholeSteps(db: Database, { run_id, outputs = {} }: Seed, numbers: number[]): Promise<SeededStep[]> {
  if (numbers.length === 0) return [];
  const rows = await db.orm
    .select()
    .from(steps)
    .where(and(eq(steps.runId, run_id), inArray(steps.stepNumber, numbers)));
  const kept = await db.orm
    .select()
    .from(checkpoints)
    .where(and(eq(checkpoints.runId, run_id), inArray(checkpoints.stepNumber, numbers), eq(checkpoints.createdBy, "automatic")));
  const trees = new Map(kept.map((row) => [row.stepNumber, row]));
  const byNumber = new Map(rows.map((row) => [row.stepNumber, row]));
  return numbers.flatMap((number) => {
    const row = byNumber.get(number);
    if (!row) return [];
    const at = (row.completedAt ?? row.updatedAt).toISOString();
    const { commitSha: commit, treeSha: tree, treeShared: shared, state } = trees.get(number) ?? {};
    const given = Object.hasOwn(outputs, number) ? outputs[number] : row.output;
    return {
      number,
      key: row.stepKey,
      iteration: row.iteration,
      status: row.status === "failed" && !Object.hasOwn(outputs, number) ? ("failed" as const) : ("completed" as const),
      attempt: row.attemptNumber,
      output: given ?? null,
      error: row.error,
      started_at: row.startedAt?.toISOString() ?? at,
      completed_at: at,
      ...(row.kind === "function" && state ? { state } : {}),
      tree: commit && tree ? { commit, tree, shared: shared ?? false } : null,
    };
  });
}

/**
 * The first of these steps of a run, as many as go through a history at once, in the order asked for.
 *
 * @throws {NotFoundError} when one of them is not there.
 */
export async function readDone(db: Database, { run_id, numbers, setters }: DoneRequest): Promise<DoneStep[]> {
  const wanted = numbers.slice(0, PAGE_STEPS);
  const rows = await db.orm
    .select()
    .from(steps)
    .where(and(eq(steps.runId, run_id), inArray(steps.stepNumber, wanted)));
  const byNumber = new Map(rows.map((row) => [row.stepNumber, row]));
  const stateful = wanted.filter((number) => byNumber.get(number)?.kind === "function" && (setters?.includes(number) ?? true));
  const states = await statesOf(db, run_id, stateful);
  const page: DoneStep[] = [];
  let chars = 0;
  for (const number of wanted) {
    const row = byNumber.get(number);
    if (!row) throw new NotFoundError("step", `${run_id}-${number}`);
    const { status } = row;
    const state = states.get(number);
    const step: DoneStep = {
      number,
      key: row.stepKey,
      iteration: row.iteration,
      // One that was given up while it waited for its next try, or with its run, has nothing to give.
      status: status === "completed" || status === "failed" || status === "skipped" ? status : "cancelled",
      at: (row.completedAt ?? row.updatedAt).getTime(),
      output: row.output,
      error: row.error,
      ...(state ? { state } : {}),
    };
    chars += JSON.stringify(step).length;
    if (page.length > 0 && chars > PAGE_CHARS) break;
    page.push(step);
  }
  return page;
}

async function statesOf(db: Database, runId: string, numbers: number[]): Promise<Map<number, JsonObject>> {
  if (numbers.length === 0) return new Map();
  const rows = await db.orm
    .select({ number: checkpoints.stepNumber, state: checkpoints.state })
    .from(checkpoints)
    .where(and(eq(checkpoints.runId, runId), inArray(checkpoints.stepNumber, numbers), eq(checkpoints.createdBy, "automatic")));
  return new Map(rows.map(({ number, state }) => [number, state]));
}

/** The last tree that was left, of steps in the order in which they ended. */
export async function lastTree(
  db: Database,
  runId: string,
  ended: readonly Pick<SeededBrief, "number">[],
): Promise<{ step_number: number; commit: string } | undefined> {
  const numbers = ended.map(({ number }) => number);
  if (numbers.length === 0) return undefined;
  const kept = await db.orm
    .select({ step_number: checkpoints.stepNumber, commit: checkpoints.commitSha })
    .from(checkpoints)
    .where(and(eq(checkpoints.runId, runId), inArray(checkpoints.stepNumber, numbers), isNotNull(checkpoints.commitSha)));
  const trees = new Map(kept.flatMap(({ step_number, commit }) => (commit ? [[step_number, { step_number, commit }]] : [])));
  return trees.get(numbers.findLast((number) => trees.has(number)) ?? -1);
}
