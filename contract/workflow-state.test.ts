import { expect, test } from "vitest";
import { RunStatus } from "./run.js";
import { isTerminalState, statusOfState, WorkflowState } from "./workflow-state.js";

test("three of the states of other engines are the end", () => {
  expect(WorkflowState.options.filter(isTerminalState)).toEqual(["completed", "failed", "cancelled"]);
});

test("each of them is a status, and what both know is the same word", () => {
  const both = WorkflowState.options.filter((state) => RunStatus.safeParse(state).success);

  expect(both.map((state) => statusOfState(state))).toEqual(both);
  expect(statusOfState("building_graph")).toBe("pending");
  expect(statusOfState("awaiting_completion")).toBe("running");
});
