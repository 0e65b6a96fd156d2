import { eq } from "drizzle-orm";
import type { AcceptedFact, Fact } from "../contract/fact.js";
import type { Database } from "./database.js";
import { beginAtOnce } from "./projection-begin.js";
import { lockRuns } from "./projection-load.js";
import { type Applied, type Narration, tellAccepted, tellFacts } from "./projection-tell.js";
import { runs, tombstones } from "./schema.js";
import { storable } from "./storable.js";

/** Facts in one transaction: a replay of a long history must not hold its run's lock for seconds. */
const BATCH = 500;

/**
 * Write what a run's execution has told, in unbroken order: rows, and an event for each fact told for the first
 * time. Idempotent. What is told again with other content changes the rows and makes no event.
 *
 * Facts of a deleted run are swallowed (`told` is their last). Fails only when the database does.
 */
export async function applyFacts(db: Database, runId: string, execution: string, facts: readonly Fact[]): Promise<Applied> {
  const sorted = facts.toSorted((a, b) => a.seq - b.seq);
  const all: Applied = { told: 0, gap: false, applied: [] };
  for (let start = 0; start === 0 || start < sorted.length; start += BATCH) {
    const batch = sorted.slice(start, start + BATCH);
    for (const { told, gap, applied } of await applyTogether(db, [{ runId, execution, facts: batch }])) {
      all.told = told;
      all.applied.push(...applied);
      all.gap = gap;
    }
    if (all.gap) break;
  }
  return all;
}

/**
 * The same for several runs in one transaction, whose statements are as many as for one. One narration of each run;
 * some hundred facts in all.
 *
 * @returns in the order of the narrations.
 */
export async function applyTogether(db: Database, narrations: readonly Narration[]): Promise<Applied[]> {
  const ordered = narrations.map((one) => ({ ...one, facts: one.facts.map(storable).sort((a, b) => a.seq - b.seq) }));
  return db.orm.transaction((tx) => tellFacts(tx, ordered));
}

/**
 * Write at once what Temporal has accepted; narration confirms it under the same key. When narration was
 * faster, nothing changes.
 *
 * @throws {NotFoundError} when the run is not there, unless the fact begins it.
 */
export async function applyAccepted(db: Database, fact: AcceptedFact): Promise<void> {
  const kept = storable(fact);
  if (kept.type === "run.created" && (await beginAtOnce(db, kept))) return;
  await db.orm.transaction((tx) => tellAccepted(tx, kept));
}

/** Delete a run and all below it for good: neither narration nor rebuild brings it back. */
export async function deleteRun(db: Database, runId: string): Promise<void> {
  await db.orm.transaction(async (tx) => {
    await lockRuns(tx, [runId]);
    await tx.insert(tombstones).values({ runId }).onConflictDoNothing();
    await tx.delete(runs).where(eq(runs.id, runId));
  });
}
