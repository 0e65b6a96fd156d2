import fc from "fast-check";
import { expect, test } from "vitest";
import { cyclesOf, cycleText, graphOf } from "./graph.js";

test("the graph of four steps has its nodes, order and levels", () => {
  const graph = graphOf([
    { key: "parse-changes", needs: [] },
    { key: "security-scan", needs: ["parse-changes"] },
    { key: "quality-check", needs: ["parse-changes"] },
    { key: "generate-report", needs: ["security-scan", "quality-check"] },
  ]);

  expect(graph).toEqual({
    nodes: [
      { stepKey: "parse-changes", dependencies: [], dependents: ["security-scan", "quality-check"], level: 0 },
      { stepKey: "security-scan", dependencies: ["parse-changes"], dependents: ["generate-report"], level: 1 },
      { stepKey: "quality-check", dependencies: ["parse-changes"], dependents: ["generate-report"], level: 1 },
      { stepKey: "generate-report", dependencies: ["security-scan", "quality-check"], dependents: [], level: 2 },
    ],
    hasCycle: false,
    topologicalOrder: ["parse-changes", "security-scan", "quality-check", "generate-report"],
    levels: [["parse-changes"], ["security-scan", "quality-check"], ["generate-report"]],
  });
});

test("steps that depend on nothing stay as they are written", () => {
  expect(graphOf(["c", "a", "b"].map((key) => ({ key, needs: [] }))).topologicalOrder).toEqual(["c", "a", "b"]);
});

test("a chain of ten thousand steps has ten thousand levels", () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => ({ key: `s${i}`, needs: i === 0 ? [] : [`s${i - 1}`] }));

  expect(graphOf(steps.toReversed()).levels).toHaveLength(10_000);
});

test("every knot of a graph is told by a way round it, along dependencies", () => {
  const graph = graphOf([
    { key: "x", needs: [] },
    { key: "a", needs: ["x", "c"] },
    { key: "b", needs: ["a"] },
    { key: "c", needs: ["b"] },
    { key: "behind", needs: ["a"] },
    { key: "d", needs: ["d"] },
  ]);

  expect(graph).toMatchObject({ hasCycle: true, topologicalOrder: ["x"] });
  expect(cyclesOf(graph).map(cycleText)).toEqual([
    "Dependency cycle detected: a → c → b → a",
    "Dependency cycle detected: d → d",
  ]);
});

test("a graph has a cycle exactly when one is told, and each told is one", () => {
  const steps = fc.array(fc.uniqueArray(fc.nat({ max: 19 }), { maxLength: 3 }), { maxLength: 20 });
  fc.assert(
    fc.property(steps, (links) => {
      const given = links.map((needs, i) => ({ key: `${i}`, needs: needs.filter((need) => need < links.length).map(String) }));
      const graph = graphOf(given);
      const cycles = cyclesOf(graph);
      expect(cycles.length > 0).toBe(graph.hasCycle);
      for (const cycle of cycles) {
        expect(cycle.at(-1)).toBe(cycle[0]);
        for (const [i, key] of cycle.slice(0, -1).entries()) expect(given[Number(key)]?.needs).toContain(cycle[i + 1]);
      }
      expect(graph.levels.flat()).toHaveLength(graph.topologicalOrder.length);
    }),
  );
});
