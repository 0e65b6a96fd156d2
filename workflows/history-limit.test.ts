import { expect, test } from "vitest";
import { historyProblem } from "./history-limit.js";

test("a history with room in it is no problem, whatever holds the run back", () => {
  expect(historyProblem({ historyLength: 47_999, historySize: 47_000_000 }, "it is too large")).toBeUndefined();
});

test.each([
  { historyLength: 48_000, historySize: 1 },
  { historyLength: 1, historySize: 45 * 1024 * 1024 },
])("a full history is told with its figures and a way out: %j", (full) => {
  expect(historyProblem(full)).toBe(
    `This run has ${full.historyLength} events (${full.historySize} bytes) of history; Temporal ends a run at 51,200 events or 50 MiB. Split the work over several runs.`,
  );
});

test("what has kept the run from going on elsewhere is told, too", () => {
  expect(historyProblem({ historyLength: 50_000, historySize: 1 }, "its outputs are too large")).toContain(
    "It cannot go on in a further execution: its outputs are too large. Let steps give less",
  );
});
