import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase } from "../test/support/stack.js";
import * as told from "../test/support/told-run.js";
import { type Database, openDatabase } from "./database.js";
import { markSettled, settledAmong } from "./executions.js";
import { applyFacts, deleteRun } from "./projection.js";

let db: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  db = openDatabase(database.url);
  await told.prepare(db);
}, 60_000);

afterAll(async () => {
  await db.close();
  await drop();
});

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
