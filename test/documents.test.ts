// The definitions of the source documents, as their authors wrote them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Rule } from "../local/model-script.js";
import { packageRoot } from "../package-root.js";
import { type ExampleProject, exampleProject, stepsOf } from "./support/example-project.js";

const data = (path: string) => readFileSync(join(packageRoot, "test/data", path), "utf8");
const json = (value: object) => ({ say: JSON.stringify(value) });

const RULES: Rule[] = [
  { when: /^Research the codebase.*Sorting/, moves: [{ say: "It belongs beside the search." }] },
  { when: /^Create a spec for implementing Sorting/, moves: [{ say: "Sort by name." }] },
  {
    when: /^Implement the feature according/,
    moves: [{ tool: "Write", input: { file_path: "{cwd}/sorted.txt", content: "a\nb\n" } }, { say: "Done." }],
  },
  { when: /^Parse the code changes in src\/engine\.ts/, moves: [json({ functions: ["start", "stop"] })] },
  { when: /^Scan \["start","stop"\] for security/, moves: [{ say: "No vulnerabilities." }] },
  { when: /^Check code quality of \["start","stop"\]/, moves: [{ say: "Names are short." }] },
  {
    when: /^Generate code review report from security findings No vulnerabilities\. and quality issues Names are short\.$/,
    moves: [{ say: "All is well." }],
  },
  {
    when: /^Analyze the following code changes[\s\S]*Changes: \+ start\(\)/,
    moves: [json({ files: ["a.ts"], changeType: "bug fix", affectedModules: [] })],
  },
  { when: /^Perform security audit[\s\S]*Files: \["a\.ts"\]/, moves: [json({ findings: [] })] },
  { when: /^Analyze code quality for:\s+Files: \["a\.ts"\]/, moves: [json({ metrics: { lines: 7 } })] },
  { when: /^Review backend implementation:\s+Files: \["a\.ts"\]\s+Change Type: bug fix/, moves: [json({ feedback: "Fine." })] },
  { when: /^Generate comprehensive code review report:[\s\S]*findings[\s\S]*lines[\s\S]*Fine\./, moves: [{ say: "Approve." }] },
];

const SCRIPTS = { build: "echo built", test: "echo tested", deploy: "echo deploying" };

let project: ExampleProject;
beforeAll(async () => {
  project = await exampleProject(RULES);
  project.commit({ "package.json": JSON.stringify({ name: "engine", version: "1.0.0", private: true, scripts: SCRIPTS }) });
});

const run = async (definition: object | string, input: object, more?: object) =>
  project.finished(await project.begin(definition, input, more));
const outputs = (steps: readonly { output: unknown }[]) => steps.map(({ output }) => output);

describe("phases", { timeout: 120_000 }, () => {
  test("simple-pipeline.yaml installs, builds, tests and deploys by pnpm", async () => {
    const row = await run(data("yaml/simple-pipeline-a.yaml"), { environment: "staging" });

    expect(row).toMatchObject({ status: "completed", error: null });
    expect(stepsOf(row)).toEqual(["install-deps", "build-app", "run-tests", "deploy"].map((key) => `${key} completed`));
    expect(row.steps.map(({ name, phase }) => `${phase}: ${name}`)).toEqual([
      "build: Install Dependencies",
      "build: Build Application",
      "test: Run Tests",
      "deploy: Deploy",
    ]);
    expect(outputs(row.steps)).toMatchObject(
      ["Done|up-to-date", "built", "tested", "deploying --env staging"].map((said) => ({ stdout: expect.stringMatching(said) })),
    );
  });

  test("its input is checked by its argsSchema before a run begins", async () => {
    const refused = await project.ask("POST", "/api/workflow/execute", {
      definition: data("yaml/simple-pipeline-a.yaml"),
      input: { environment: "moon" },
    });

    expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: "input.environment" }] } });
  });

  test("the short pipeline builds and tests", async () => {
    const row = await run(data("yaml/simple-pipeline-b.yaml"), { environment: "dev" });

    expect(stepsOf(row)).toEqual(["build-app completed", "run-tests completed"]);
  });
});

test("TypeScript: implement-feature.ts goes through its phases, with but its import changed", { timeout: 120_000 }, async () => {
  const source = data("typescript/implement-feature.ts.txt").replace('"@repo/workflow-engine"', '"longhaul"');

  const started = await project.stack.start(source, { input: { featureName: "Sorting", requirements: "By name." } });
  await started.finished(90_000);
  const row = await project.get(started.id);

  expect(row).toMatchObject({ status: "completed", error: null, workflow_definition: { name: "Implement Feature" } });
  expect(row.steps.map(({ phase, step_id, status }) => `${phase}: ${step_id} ${status}`)).toEqual([
    "research: research-codebase completed",
    "plan: create-spec completed",
    "implement: implement completed",
    "test: run-tests completed",
    "test: build completed",
  ]);
  expect(row).toMatchObject({ comments: [{ text: "Feature implementation complete!" }] });
  expect(row.steps[2]?.output).toMatchObject({ filesChanged: ["sorted.txt"] });
});

describe("dag", { timeout: 120_000 }, () => {
  test("my-workflow.yaml hands what was parsed to two reviewers at once, and theirs to the report", async () => {
    const row = await run(
      data("dag/my-workflow.yaml"),
      {},
      {
        options: { context: { filePath: "src/engine.ts" }, triggered_by: "ci-pipeline", priority: 10 },
      },
    );

    expect(row).toMatchObject({ status: "completed", triggered_by: "ci-pipeline", priority: 10 });
    expect(stepsOf(row).toSorted()).toEqual(
      ["generate-report", "parse-changes", "quality-check", "security-scan"].map((key) => `${key} completed`),
    );
    expect(row.steps.at(-1)).toMatchObject({ step_id: "generate-report", output: { text: "All is well." } });
    expect(row.steps.find(({ step_id }) => step_id === "security-scan")).toMatchObject({ max_attempts: 4 });
    expect(row.steps[0]).toMatchObject({ max_attempts: 3 });
  });

  test("code-review.yaml hands several fields on, and whole answers to the report", async () => {
    const row = await run(data("dag/code-review.yaml"), { changes: "+ start()" });

    expect(row).toMatchObject({ status: "completed", error: null });
    expect(row.steps).toHaveLength(5);
    expect(row.steps.at(-1)).toMatchObject({ step_id: "generate-report", output: { text: "Approve." } });
  });
});

test("tools: a row of the workflows table, its name and description beside its definition", async () => {
  const { number } = await project.onGitHub<{ number: number }>("POST", "issues", { title: "Gears grind" });
  const definition = {
    steps: [
      {
        name: "example_step",
        tool: "github.getIssue",
        params: { owner: "${repo.owner}", repo: "${repo.name}", number: "${input.issue_number}" },
        assign: "issue",
      },
    ],
  };

  const row = await run(
    { name: "my_workflow", description: "Description of workflow purpose", ...definition },
    { issue_number: number },
    { variables: {} },
  );

  expect(row).toMatchObject({ status: "completed", steps: [{ step_id: "example_step", output: { title: "Gears grind" } }] });
});
