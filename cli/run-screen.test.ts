import { expect, test } from "vitest";
import { RunScreen } from "./run-screen.js";

const at = (s: number) => new Date(s * 1000).toISOString();

function screen() {
  const lines: string[] = [];
  return { lines, screen: new RunScreen((line) => lines.push(line)) };
}

test("shows a step, its output line by line, and how it ended", () => {
  const { lines, screen: shown } = screen();
  shown.show({ type: "workflow.step.started", at: at(1), data: { step_id: "r-1", step_name: "tests", phase: "check" } });
  shown.output("r-1", "one\ntw");
  shown.output("r-1", "o\u001b[2Jx\nlast");
  shown.show({ type: "workflow.step.completed", at: at(3.5), data: { step_id: "r-1", status: "failed" } });

  expect(lines).toEqual(["▶ tests  check", "  │ one", "  │ twox", "  │ last", "✘ tests 2.5s"]);
});

test("says whose a line is while several steps are under way", () => {
  const { lines, screen: shown } = screen();
  shown.show({ type: "workflow.step.started", at: at(1), data: { step_id: "r-1", step_name: "lint" } });
  shown.show({ type: "workflow.step.started", at: at(1), data: { step_id: "r-2", step_name: "test" } });
  shown.output("r-2", "12 passed\n");
  shown.show({ type: "workflow.step.completed", at: at(2), data: { step_id: "r-2", status: "completed" } });
  shown.output("r-1", "clean\n");

  expect(lines.slice(2)).toEqual(["  test │ 12 passed", "✔ test 1.0s", "  │ clean"]);
});
