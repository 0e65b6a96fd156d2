import { afterAll, beforeAll, expect, test } from "vitest";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { markSettled, settledAmong } from "./executions.js";
import { applyFacts, deleteRun } from "./projection.js";

let db: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
}, 60_000);

afterAll(() => close());

test("an execution is settled by itself, and gone with its run; of one that nobody has told of nothing is known", async () => {
  for (const run of ["run_open", "run_settled", "run_deleted"]) {
    await applyFacts(db, run, `${run}.1`, told.narration(run, `${run}.1`, [told.created(run), told.finished("completed")]));
  }
  await markSettled(db, "run_settled", "run_settled.1");
  await deleteRun(db, "run_deleted");

  const known = new Map([
    ["run_open.1", "run_open"],
    ["run_settled.1", "run_settled"],
    ["run_settled.2", "run_settled"],
    ["run_deleted.1", "run_deleted"],
    ["run_unheard.1", "run_unheard"],
  ]);
  expect(await settledAmong(db, known)).toEqual(["run_settled.1", "run_deleted.1"]);
});
