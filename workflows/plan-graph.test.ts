import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Plan, PlanStep } from "../contract/plan.js";
import { doGraph } from "./plan-graph.js";

type Flow = Extract<Plan["flow"], { kind: "graph" }>;
const FLOW: Flow = { kind: "graph", by_level: false };

describe("a graph", () => {
  test("does each step when those it needs are over, never more at once than it may, and each once", async () => {
    await fc.assert(
      fc.asyncProperty(graphs(), flows(), async (steps, flow) => {
        const seen = await done(steps, flow);

        expect(seen.begun.toSorted()).toEqual(steps.map(({ key }) => key).toSorted());
        for (const { key, needs } of steps)
          for (const need of needs) expect(seen.log.indexOf(`${need} over`)).toBeLessThan(seen.log.indexOf(key));
        expect(seen.most).toBeLessThanOrEqual(flow.concurrency ?? steps.length);
      }),
      { numRuns: 200 },
    );
  });

  test("by level, does none before all of the levels before are over", async () => {
    await fc.assert(
      fc.asyncProperty(graphs(), async (steps) => {
        const { log } = await done(steps, { kind: "graph", by_level: true });
        const level = levels(steps);

        for (const { key } of steps)
          for (const other of steps)
            if ((level.get(other.key) ?? 0) < (level.get(key) ?? 0))
              expect(log.indexOf(`${other.key} over`)).toBeLessThan(log.indexOf(key));
      }),
    );
  });

  test("uses all it may: four that need nothing, two at once, are done in two turns", async () => {
    const { log } = await done(
      ["a", "b", "c", "d"].map((key) => step(key)),
      { ...FLOW, concurrency: 2 },
    );

    expect(log.slice(0, 2)).toEqual(["a", "b"]);
    expect(log.indexOf("c")).toBeLessThan(log.indexOf("d over"));
    expect(log.indexOf("d")).toBeLessThan(log.indexOf("c over"));
  });

  test("begins in the plan's order where there is a choice", async () => {
    const { begun } = await done([step("z"), step("a"), step("m", ["z"])], { ...FLOW, concurrency: 1 });

    expect(begun).toEqual(["z", "a", "m"]);
  });

  test("begins nothing more when a step fails, and waits for what is under way", async () => {
    const { log } = await done([step("a"), step("b"), step("c", ["a"]), step("d", ["b"])], FLOW, ["a"]);

    expect(log).toEqual(["a", "b", "a over", "b over"]);
  });

  test("by level, ends the level in which a step fails, those of it that wait for a place included", async () => {
    const { log } = await done(
      [step("a"), step("b"), step("c"), step("d", ["a"])],
      { kind: "graph", by_level: true, concurrency: 1 },
      ["a"],
    );

    expect(log).toEqual(["a", "a over", "b", "b over", "c", "c over"]);
  });

  test("passes on what is thrown when nothing is under way any more, and begins nothing meanwhile", async () => {
    const begun: string[] = [];
    let isOver = false;
    const doing = doGraph(plan([step("a"), step("b"), step("c")]), { ...FLOW, concurrency: 2 }, async ({ key }) => {
      begun.push(key);
      if (key === "a") throw new Error("stopped");
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      isOver = true;
      return true;
    });

    await expect(doing).rejects.toThrow("stopped");
    expect([begun, isOver]).toEqual([["a", "b"], true]);
  });
});

/** What was begun and over, in order, when each step takes a few turns of the event loop. */
async function done(steps: PlanStep[], flow: Flow, failing: string[] = []) {
  const log: string[] = [];
  const begun: string[] = [];
  let [now, most] = [0, 0];
  await doGraph(plan(steps), flow, async ({ key }) => {
    log.push(key);
    begun.push(key);
    most = Math.max(most, ++now);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    now--;
    log.push(`${key} over`);
    return !failing.includes(key);
  });
  return { log, begun, most };
}

function graphs(): fc.Arbitrary<PlanStep[]> {
  return fc
    .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 200 })
    .map((all) => all.map((needs, i) => step(`s${i}`, i === 0 ? [] : [...new Set(needs.map((need) => `s${need % i}`))])));
}

function flows(): fc.Arbitrary<Flow> {
  return fc.record({ kind: fc.constant("graph" as const), by_level: fc.boolean(), concurrency: fc.integer({ min: 1, max: 9 }) });
}

function levels(steps: PlanStep[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { key, needs } of steps) found.set(key, Math.max(-1, ...needs.map((need) => found.get(need) ?? -1)) + 1);
  return found;
}

function step(key: string, needs: string[] = []): PlanStep {
  return { key, needs, work: { kind: "shell", command: { literal: "true" } }, on_failure: "stop" };
}

function plan(steps: PlanStep[]): Plan {
  return { format: 1, name: "p", tags: [], phases: [], timeout_ms: 0, names: [], flow: FLOW, steps };
}
