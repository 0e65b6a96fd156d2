import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Plan } from "../contract/plan.js";
import { packageRoot } from "../package-root.js";
import { planOf, problemsOf } from "../test/support/definitions.js";

const folder = join(packageRoot, "test/data/yaml");

test.each(readdirSync(folder))("%s, as its authors wrote it, is done step by step", (file) => {
  const plan = planOf(readFileSync(join(folder, file), "utf8"));

  expect(Plan.parse(plan)).toEqual(plan);
  expect(plan.phases).toEqual(["build", "test", "deploy"]);
  expect(plan.steps.map(({ needs }) => needs)).toEqual([[], ...plan.steps.slice(0, -1).map(({ key }) => [key])]);
});

test("args are the run's input, and what the shell expands stays the shell's", () => {
  const { steps } = planOf(`
    name: w
    steps:
      - { id: deploy, type: script, command: "deploy --env {{ args.environment }} $HOME $(date) \${HOME}" }`);

  expect(steps[0]?.work).toMatchObject({
    command: { text: ["deploy --env ", ["input", "environment"], ` $HOME $(date) \${HOME}`] },
  });
});

test("an agent's step says who is asked what, and what is permitted", () => {
  const { steps } = planOf(`
    name: w
    phases: [plan]
    steps:
      - { id: spec, name: Write a spec, phase: plan, type: agent, agent: claude, prompt: "For {{ args.feature }}", permission: plan }`);

  expect(steps[0]).toMatchObject({
    key: "spec",
    name: "Write a spec",
    phase: "plan",
    work: { kind: "agent", provider: "claude", prompt: { text: ["For ", ["input", "feature"]] }, permission: "plan" },
  });
});

test("a step can name the one before it, and what that assigned", () => {
  const { steps } = planOf(`
    name: w
    steps:
      - { id: build, type: script, command: make, assign: made }
      - { id: ship, type: script, command: "ship {{ build.stdout }} {{ steps.build.exitCode }} {{ made.stdout }} {{ vars.made }}" }`);

  expect(steps[1]?.work).toMatchObject({
    command: {
      text: [
        "ship ",
        ["name", "build", "stdout"],
        " ",
        ["steps", "build", "exitCode"],
        " ",
        ["name", "made", "stdout"],
        " ",
        ["vars", "made"],
      ],
    },
  });
});

test("every problem is told at once, each at its place", () => {
  const definition = `name: w
phases: [build]
steps:
  - id: build
    phase: biuld
    type: script
    comand: make
  - id: build
    type: agent
    agent: claude
    prompt: |
      Look at
      {{ arg.file }} and {{ steps.bild }}
`;

  expect(problemsOf(definition)).toEqual([
    expect.stringMatching(/^steps\[0\]\.command 4:5 "command" is missing in a step\.$/),
    expect.stringMatching(/^steps\[0\]\.id 4:9 .*"biuld".*Did you mean "build"\?$/),
    expect.stringMatching(/^steps\[0\]\.comand 7:5 Unknown key "comand" in a step\. Did you mean "command"\?$/),
    expect.stringMatching(/^steps\[1\]\.id 8:9 Duplicate step key: "build"\. The first is in line 4/),
    expect.stringMatching(/^steps\[1\]\.prompt 13:7 "arg\.file" refers to "arg".*Did you mean "args"\?$/),
    expect.stringMatching(/^steps\[1\]\.prompt 13:26 There is no step "bild"\. Did you mean "build"\?$/),
  ]);
});

test("what a later step gives cannot be referred to", () => {
  expect(
    problemsOf(`
name: w
steps:
  - { id: a, type: script, command: "x {{ steps.b.stdout }} {{ c }}", if: steps.b.done }
  - { id: b, type: script, command: "y {{ a.stdout }}" }
  - { id: c, type: script, command: z }`),
  ).toEqual([
    'steps[0].id 4:11 Step "a" refers to "b", which is not over when it begins. Let it come after that.',
    'steps[0].id 4:11 Step "a" refers to "c", which is not over when it begins. Let it come after that.',
  ]);
});
