import fc from "fast-check";
import { expect, test } from "vitest";
import { Plan } from "../contract/plan.js";
import { compile } from "./compile.js";

/** Graphs of 1 to 200 steps: each step may depend on earlier ones only, then all are shuffled. */
const graphs = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 200 }).chain((links) => {
  const steps = links.map((picks, i) => ({
    key: `s${i}`,
    agent: "backend",
    prompt: "p",
    dependencies: i === 0 ? [] : [...new Set(picks.map((pick) => `s${pick % i}`))],
  }));
  return fc.shuffledSubarray(steps, { minLength: steps.length, maxLength: steps.length });
});

test("every step of a plan comes after those it needs, and the same text gives the same plan", () => {
  fc.assert(
    fc.property(graphs, (steps) => {
      const text = JSON.stringify({ name: "w", steps });
      const result = compile(text, "a.json");
      expect(compile(text, "a.json")).toEqual(result);
      if (!result.ok) throw new Error(JSON.stringify(result.problems));
      const places = new Map(result.plan.steps.map(({ key }, i) => [key, i]));
      expect(places.size).toBe(steps.length);
      for (const { key, needs } of result.plan.steps) {
        for (const need of needs) expect(places.get(need)).toBeLessThan(places.get(key)!);
      }
    }),
  );
});

test("a graph with a cycle, an unknown step or a double key is refused, whatever else it holds", () => {
  const spoil = fc.constantFrom<(steps: { key: string; dependencies: string[] }[], at: number) => object[]>(
    (steps, at) => steps.map((step, i) => (i === at ? { ...step, dependencies: [...step.dependencies, step.key] } : step)),
    (steps, at) => steps.map((step, i) => (i === at ? { ...step, dependencies: [...step.dependencies, "nowhere"] } : step)),
    (steps, at) => [...steps, steps[at]!],
    (steps, at) => [
      ...steps.map((step, i) => (i === at ? { ...step, dependencies: [...step.dependencies, "z"] } : step)),
      { ...steps[at]!, key: "z", dependencies: [steps[at]!.key] },
    ],
  );
  fc.assert(
    fc.property(graphs, fc.nat(), spoil, (steps, pick, spoiled) => {
      const result = compile(JSON.stringify({ name: "w", steps: spoiled(steps, pick % steps.length) }), "a.json");
      expect(result).toMatchObject({
        ok: false,
        problems: [expect.objectContaining({ line: 1, message: expect.stringMatching(/./) })],
      });
    }),
  );
});

test("the version names the plan: what is written otherwise has the same, what does something else has another", () => {
  const json = compile('{"name":"w","steps":[{"id":"a","type":"script","command":"x"}]}', "a.json");
  const yaml = compile("steps:\n - command: x\n   id: a\n   type: shell\nname: w # the same", "a.yaml");
  const other = compile("name: w\nsteps: [{ id: a, type: script, command: y }]", "a.yaml");

  expect(json).toMatchObject({ ok: true, dialect: "phases", version: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(yaml).toEqual(json);
  expect(other.ok && json.ok && other.version !== json.version).toBe(true);
});

test.each([
  ["name: w\nsteps: [{ id: a, type: script, command: x }]", "phases"],
  ["name: w\nsteps: [{ key: a, agent: x, prompt: p }]", "dag"],
  ["name: w\ndialect: phases\nsteps: [{ id: a, command: x }]", "phases"],
])("%j is of the dialect %s", (text, dialect) => {
  expect(compile(text, "a.yaml")).toMatchObject({ ok: true, dialect });
});

test.each([
  ["name: w", "This looks like no definition"],
  ["name: w\nsteps: [{ run: x }]", "phases (steps with an"],
  ["name: w\ndialect: daq\nsteps: []", 'Did you mean "dag"?'],
  ["name: w\ndialect: dag", '"steps" is missing'],
  ["name: w\ndialect: dag\nsteps: {}", '"steps" must be a list'],
  ["name: w\ndialect: dag\nsteps: [x]", "Here a step must be"],
])("%j is refused: %s", (text, words) => {
  expect(compile(text, "a.yaml")).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining(words) }] });
});

test("more than ten thousand steps are refused in one sentence", () => {
  const steps = Array.from({ length: 10_001 }, (_, i) => ({ key: `s${i}`, prompt: "p" }));

  expect(compile(JSON.stringify({ name: "w", steps }), "a.json")).toMatchObject({
    ok: false,
    problems: [{ path: "steps", message: expect.stringContaining("at most 10000 steps") }],
  });
});

test("of ten thousand problems a hundred are listed and the others counted", () => {
  const steps = Array.from({ length: 9000 }, (_, i) => ({ key: `s${i}`, command: "x", on_failure: "no" }));
  const result = compile(JSON.stringify({ name: "w", steps }), "a.json");

  expect(!result.ok && result.problems.length).toBe(101);
  expect(!result.ok && result.problems.at(-1)?.message).toBe("There are 8900 more problems like these.");
});

test("a thousand steps are compiled to a plan, each of them", () => {
  const steps = Array.from({ length: 1000 }, (_, i) => ({
    key: `s${i}`,
    agent: "backend",
    prompt: i === 0 ? "Begin" : `Do {{ input.x }} after {{ steps.s${i - 1}.result }}`,
    dependencies: i === 0 ? [] : [`s${i - 1}`],
    retryPolicy: { maxRetries: 2 },
  }));
  const result = compile(JSON.stringify({ name: "w", steps }), "a.json");

  expect(result.ok && Plan.parse(result.plan).steps).toHaveLength(1000);
});
