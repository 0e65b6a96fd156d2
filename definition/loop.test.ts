import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../contract/json.js";
import type { PlanFlow, PlanStep } from "../contract/plan.js";
import { nextStage } from "./loop.js";

interface Trace {
  wf: string;
  doneAt: number;
  max: number;
  seq: string[];
  reason: string;
}

const traces = JSON.parse(readFileSync(new URL("../test/data/stages/loop-traces.json", import.meta.url), "utf8")) as Trace[];

describe("a loop", () => {
  test.each(traces)("goes the way that was measured: $wf, done at $doneAt", (trace) => {
    const minimum = /min_iterations(\d+)/.exec(trace.wf)?.[1];
    const loop = flow({ max_iterations: trace.max + 1, ...(minimum && { min_iterations: Number(minimum) + 1 }) });

    const { way, end } = walk(stagesOf(trace), loop, checksUntil(trace.doneAt));

    expect(way.map(({ key, iteration }) => `${key}#${iteration - 1}`)).toEqual(trace.seq);
    expect(end).toBe(trace.reason.startsWith("Maximum") ? "max_iters_reached" : "stop_when");
  });

  test.each(traces)("makes at most max_iters passes in all: $wf, done at $doneAt", (trace) => {
    const { way } = walk(stagesOf(trace), flow({ max_iterations: trace.max }), checksUntil(trace.doneAt));

    expect(way.at(-1)?.iteration).toBe(Math.min(trace.doneAt, trace.max));
  });

  test("makes one pass when that is all that is asked for", () => {
    const { way, end } = walk(["plan", "code"], { kind: "loop", max_iterations: 1 }, () => ({}));

    expect(names(way)).toEqual("plan1 code1");
    expect(end).toBe("all_stages_done");
  });

  test("says that its passes are used up, also when there was only one", () => {
    expect(walk(["plan"], flow({ max_iterations: 1 }), () => ({})).end).toBe("max_iters_reached");
  });

  test("ends after any stage that meets the condition", () => {
    const { way, end } = walk(["plan", "code", "check"], flow({ max_iterations: 3 }), (key) => ({ done: key === "code" }));

    expect(names(way)).toBe("plan1 code1");
    expect(end).toBe("stop_when");
  });

  test("begins a new pass at the fallback", () => {
    const { way } = walk(["plan", "code", "check"], flow({ max_iterations: 2, next: "code" }), () => ({}));

    expect(names(way)).toBe("plan1 code1 check1 code2 check2");
  });

  test("prefers the stage that its last stage recommends to the fallback", () => {
    const recommends = (key: string) => (key === "check" ? { recommended_next_stage: "code" } : {});
    const { way } = walk(["plan", "code", "check"], flow({ max_iterations: 2, next: "plan" }), recommends);

    expect(names(way)).toBe("plan1 code1 check1 code2 check2");
  });

  test("goes back at once when a stage within the pass recommends an earlier one", () => {
    let failures = 1;
    const testsFailOnce = (key: string) => (key === "test" && failures-- > 0 ? { recommended_next_stage: "code" } : {});
    const { way } = walk(["plan", "code", "test", "check"], { kind: "loop", max_iterations: 2 }, testsFailOnce);

    expect(names(way)).toBe("plan1 code1 test1 code2 test2 check2");
  });

  test("finishes the pass when one goes back and no passes are left", () => {
    const { way } = walk(["plan", "test", "check"], flow({ max_iterations: 1 }), () => ({ recommended_next_stage: "plan" }));

    expect(names(way)).toBe("plan1 test1 check1");
  });

  test("skips no stage that has not been done in this pass", () => {
    const { way } = walk(["plan", "code", "check"], flow({ max_iterations: 1 }), () => ({ recommended_next_stage: "check" }));

    expect(names(way)).toBe("plan1 code1 check1");
  });

  test("passes a recommendation over that names no stage, and says so", () => {
    const steps = ["plan", "check"].map(stage);
    const next = nextStage(flow({ max_iterations: 2 }), steps, 1, { recommended_next_stage: "deploy" }, 1, isDone);

    expect(next).toEqual({ stage: 0, iteration: 2, unknown: "deploy" });
  });

  test("always ends, within its passes, whatever its stages answer", () => {
    const keys = ["a", "b", "c", "d"];
    const answer = fc.record(
      { done: fc.boolean(), recommended_next_stage: fc.constantFrom(...keys, "else", null) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.infiniteStream(answer), (max, answers) => {
        const { way } = walk(keys, flow({ max_iterations: max }), () => answers.next().value as JsonObject);

        expect(way.length).toBeLessThanOrEqual(max * keys.length);
        expect(way.at(-1)?.iteration).toBeLessThanOrEqual(max);
      }),
    );
  });
});

const isDone = (_condition: unknown, item: Json) => (item as JsonObject | null)?.done === true;

function flow(of: { max_iterations: number; min_iterations?: number; next?: string }): Extract<PlanFlow, { kind: "loop" }> {
  return { kind: "loop", stop_when: { truthy: ["item", "done"] }, ...of };
}

function stage(key: string): PlanStep {
  const work = { kind: "agent" as const, provider: "claude" as const, prompt: { literal: key } };
  return { key, needs: [], work, on_failure: "stop" };
}

function stagesOf(trace: Trace): string[] {
  return [...new Set(trace.seq.map((entry) => entry.replace(/#.*/, "")))];
}

/** The last stage of each trace says `done` at the given check and after it. */
function checksUntil(doneAt: number) {
  let checks = 0;
  return (key: string): JsonObject => (key === "check" || key === "review" ? { done: ++checks >= doneAt } : {});
}

function walk(keys: string[], loop: Extract<PlanFlow, { kind: "loop" }>, answer: (key: string) => JsonObject) {
  const steps = keys.map(stage);
  const way: { key: string; iteration: number }[] = [];
  let [at, iteration] = [0, 1];
  for (;;) {
    const key = keys[at]!;
    way.push({ key, iteration });
    const next = nextStage(loop, steps, at, answer(key), iteration, isDone);
    if ("end" in next) return { way, end: next.end };
    [at, iteration] = [next.stage, next.iteration];
  }
}

function names(way: { key: string; iteration: number }[]): string {
  return way.map(({ key, iteration }) => `${key}${iteration}`).join(" ");
}
