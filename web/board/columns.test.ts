import { describe, expect, test } from "vitest";
import type { Run } from "../../contract/run.js";
import { columnsOf } from "./columns.js";

const run = (id: string, status: string, more: object = {}) =>
  ({ id, status, current_phase: null, waiting_for: null, ...more }) as Run;
const shown = (runs: Run[], phases: string[] = []) =>
  columnsOf(runs, phases).map(({ name, runs }) => `${name}: ${runs.map(({ id }) => id)}`);

describe("the board", () => {
  test("has a column for each state of things, in which all runs are", () => {
    const runs = ["pending", "running", "paused", "waiting", "completed", "failed", "cancelled", "timed_out"];
    expect(shown(runs.map((status) => run(status, status)))).toEqual([
      "Pending: pending",
      "Running: running",
      "Waiting: paused,waiting",
      "Completed: completed",
      "Failed: failed,timed_out",
      "Cancelled: cancelled",
    ]);
  });

  test("has a column for each phase of a workflow, with what has not come to one in the first, and one for what has finished", () => {
    const runs = [
      run("new", "pending"),
      run("planned", "running", { current_phase: "plan" }),
      run("built", "paused", { current_phase: "build" }),
      run("of before", "running", { current_phase: "gone" }),
      run("done", "completed", { current_phase: "build" }),
    ];
    expect(shown(runs, ["plan", "build"])).toEqual(["plan: new,planned,of before", "build: built", "Finished: done"]);
  });

  test("shows first what waits for a person", () => {
    const asks = run("asks", "waiting", { waiting_for: { kind: "approval", message: "Go?" } });
    const [, , waiting] = columnsOf([run("paused", "paused"), asks], []);
    expect(waiting?.runs.map(({ id }) => id)).toEqual(["asks", "paused"]);
  });
});
