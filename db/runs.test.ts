import { afterAll, beforeAll, expect, test } from "vitest";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { applyFacts } from "./projection.js";
import { getRun } from "./runs.js";

let db: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
});

afterAll(() => close());

test("a run is read with its steps, and those of agents with their sessions", async () => {
  await applyFacts(db, "run_a", "e1", told.eventfulRun("run_a", "e1"));
  const { steps } = await getRun(db, "run_a");

  expect(steps.map(({ step_id, sessions }) => [step_id, sessions.map(({ id }) => id)])).toEqual([
    ["test", []],
    ["implement", ["run_a-2-s1"]],
    ["review", []],
    ["publish", []],
  ]);
});

test("a run without agents is read with its steps, too", async () => {
  const facts = [told.created("run_b"), told.status("running"), told.stepStarted("run_b", 1, "lint")];
  await applyFacts(db, "run_b", "e1", told.narration("run_b", "e1", facts));

  expect((await getRun(db, "run_b")).steps).toMatchObject([{ step_id: "lint", session: null, sessions: [] }]);
});

test.each(["12\n", "true", "null", '{"a":1}', '"quoted"'])("a text that looks like JSON is read as a text: %j", async (text) => {
  const run = `run_${Buffer.from(text).toString("hex")}`;
  const facts = [told.created(run), told.status("running"), told.finished("completed", text)];
  await applyFacts(db, run, "e1", told.narration(run, "e1", facts));

  expect((await getRun(db, run)).output).toBe(text);
});
