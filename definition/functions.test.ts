import { expect, test } from "vitest";
import { planOf, problemsOf } from "../test/support/definitions.js";
import { compile } from "./compile.js";

const step = { activity: "publish", params: { tag: "v1", again: false } };
const work = { kind: "activity", activity: "publish", params: { literal: { tag: "v1", again: false } } };
const activities = "./lib/release.ts";

test.each([
  ["phases", { name: "w", activities, steps: [{ id: "a", type: "activity", ...step }] }],
  ["dag", { name: "w", activities, steps: [{ key: "a", ...step }] }],
  ["tools", { dialect: "tools", name: "w", activities, steps: [{ name: "a", ...step }] }],
  ["stages", { id: "w", name: "w", activities, stages: ["a"], a: step }],
  ["stages in a block", { workflow: { id: "w", name: "w", activities, stages: ["a"] }, stageConfigs: { a: step } }],
])("in %s a step calls a function of the file that the definition names", (_, definition) => {
  const plan = planOf(definition);

  expect(plan).toMatchObject({ activities, steps: [{ key: "a", work }] });
});

test("what is called is told with its places, each name once, and to other processes as well", () => {
  const text = `
name: w
activities: ./release.mjs
steps:
  - { id: a, type: activity, activity: publish, params: { activity: announce } }
  - { id: b, type: activity, activity: publish }
finally:
  - { id: c, type: activity, activity: announce }`;

  expect(structuredClone(compile(text, "w.yaml"))).toMatchObject({
    functions: {
      file: "./release.mjs",
      at: { path: "activities", line: 3 },
      calls: [
        { name: "publish", at: { path: "steps[0].activity", line: 5 } },
        { name: "announce", at: { line: 5 } },
      ],
    },
  });
});

test("a definition that calls none has none, whatever it names", () => {
  const compiled = compile(
    JSON.stringify({ name: "w", activities, steps: [{ id: "a", type: "script", command: "x" }] }),
    "w.json",
  );

  expect(compiled.ok && compiled.functions).toBeUndefined();
});

test.each([
  [
    { steps: [{ id: "a", type: "activity", activity: "publish" }] },
    'steps[0].activity 1:61 Nothing says which file exports "publish".',
  ],
  [{ activities, steps: [{ id: "a", type: "activity" }] }, '"activity" is missing in a step.'],
  [{ activities, steps: [{ id: "a", type: "activity", activity: "./x.ts#publish" }] }, "made of letters, digits"],
  [{ activities: "/etc/x.ts", steps: [{ id: "a", type: "script", command: "x" }] }, "a path from the definition"],
  [{ activities: "lib/release.py", steps: [{ id: "a", type: "script", command: "x" }] }, "to a .ts or .js file"],
])("%j is refused", (definition, words) => {
  expect(problemsOf({ name: "w", ...definition }).join("\n")).toContain(words);
});
