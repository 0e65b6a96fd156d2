// The shipped examples of all dialects but tools, whose runs are in test/tool-workflows.test.ts; simple-sdlc with Claude alone is the demo.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../contract/json.js";
import type { Rule } from "../local/model-script.js";
import { packageRoot } from "../package-root.js";
import { answer, type ExampleProject, exampleProject, stepsOf } from "./support/example-project.js";
import { git } from "./support/git-project.js";

const write = (name: string, content: string) => ({ tool: "Write", input: { file_path: `{cwd}/${name}`, content } });
const done = { say: "Done." };

const RULES: Rule[] = [
  { when: /^Write a short plan for this specification[\s\S]*# A trumpet/, moves: [{ say: "Write horn.txt, loud." }] },
  {
    when: /^Implement this specification\.[\s\S]*# A trumpet[\s\S]*horn\.txt, loud/,
    moves: [write("horn.txt", "quiet\n"), done],
  },
  { when: /^The tests fail\. Mend the code/, moves: [write("horn.txt", "toot\n"), done] },
  { when: /^Do this task:\s+A whistle/, moves: [write("horn.txt", "quiet\n"), done] },
  { when: /^A colleague has reviewed it\.[\s\S]*It is quiet/, moves: [write("horn.txt", "toot\n"), done] },
  {
    when: /^Review the uncommitted changes[\s\S]*Do they do the task[\s\S]*A whistle/,
    moves: ({ results: [seen] }) => [
      { tool: "Bash", input: { command: "cat horn.txt", description: "Looks at the horn" } },
      answer(seen?.text.includes("toot") ? { approved: true, comments: [] } : { approved: false, comments: ["It is quiet."] }),
    ],
  },
  {
    when: /^Answer a question about this repository[\s\S]*a horn\?/,
    moves: (_, { model }) => [
      answer(model === "doubter" ? { choice: "no", reason: "Too small." } : { choice: "yes", reason: model }),
    ],
  },
  { when: /the stage "code" of this delivery[\s\S]*A gong/, moves: [write("horn.txt", "toot\n"), done] },
  {
    when: /the stage "check" of this delivery[\s\S]*A gong/,
    moves: (_, { system }) => [
      answer(system.includes("as the security specialist") ? { done: false, summary: "Loud." } : { done: true }),
    ],
  },
  { when: /^Implement this, with tests:\s+A horn/, moves: [write("horn.txt", "toot\n"), done] },
  { when: /^Write a test that fails because of this bug/, moves: [write("check.sh", "grep -q toot horn.txt\n"), done] },
  { when: /^Now fix the bug\./, moves: [write("horn.txt", "toot\n"), done] },
  { when: /^Write a specification of this idea/, moves: [{ say: "# A horn" }] },
  { when: /^Write a plan for this specification/, moves: [{ say: "Write horn.txt." }] },
  { when: /^Implement this specification, with tests\.\s+# A horn/, moves: [write("horn.txt", "quiet\n"), done] },
  { when: /^Mend what was found:[\s\S]*tests fail/, moves: [write("horn.txt", "toot\n"), done] },
  { when: /^Review the uncommitted changes/, moves: [answer({ approved: true, findings: [] })] },
  { when: /^Find out how Horns/, moves: [{ say: "Beside the bell." }] },
  { when: /^Specify Horns\. Requirements: Loud\.\s+What is known:\s+Beside the bell\./, moves: [{ say: "Toot." }] },
  { when: /^Implement this specification\.\s+Toot\./, moves: [write("horn.txt", "toot\n"), done] },
  { when: /^List the functions that engine\.ts has/, moves: [answer({ functions: ["start"] })] },
  { when: /^Look for vulnerabilities in these functions of engine\.ts: \["start"\]/, moves: [{ say: "None." }] },
  { when: /^Say what makes these functions of engine\.ts hard/, moves: [{ say: "Nothing." }] },
  { when: /^Write a code review of engine\.ts[\s\S]*Security: None\.\s+Quality: Nothing\./, moves: [{ say: "Good." }] },
  { when: /^Work out how to do this[\s\S]*A horn/, moves: [{ say: "Write horn.txt." }] },
  {
    when: /the stage "code" of this delivery[\s\S]*A horn[\s\S]*Write horn\.txt/,
    moves: ({ prompt }) => [write("horn.txt", prompt.includes("It is quiet.") ? "toot\n" : "quiet\n"), done],
  },
  {
    when: /the stage "check" of this delivery/,
    moves: ({ prompt }) => [answer(/"exitCode": ?0/.test(prompt) ? { done: true } : { done: false, summary: "It is quiet." })],
  },
];

let project: ExampleProject;
beforeAll(async () => {
  project = await exampleProject(RULES);
  const scripts = { test: "grep -q toot horn.txt", build: "echo built", deploy: "echo deploying" };
  project.commit({ "package.json": JSON.stringify({ name: "engine", version: "1.0.0", private: true, scripts }) });
});

const text = (path: string) => readFileSync(join(packageRoot, "examples", path), "utf8");
const runCode = async (file: string, input: JsonObject) => (await project.stack.start(text(file), { input })).finished(90_000);
const runPlan = async (file: string, input: object) =>
  project.finished(await project.begin(text(file), input, { file: file.split("/").at(-1) }));
const remote = (...args: string[]) => git(git(project.stack.project, "remote", "get-url", "origin"), ...args);

describe("in TypeScript", { timeout: 120_000 }, () => {
  test("hello.ts greets", async () => {
    const row = await runCode("hello.ts", { who: "Ada" });

    expect(row).toMatchObject({ status: "completed", error: null });
    expect(JSON.stringify([row.output, row.steps])).toContain("Ada");
  });

  test("build-feature.ts builds, does all checks at once, and commits", async () => {
    const row = await runCode("build-feature.ts", { task: "A horn", branch: "horn", checks: ["npm test", "npm run build"] });

    expect(row).toMatchObject({ status: "completed", output: { branch: "horn", files: ["horn.txt"] } });
    expect(stepsOf(row).toSorted()).toEqual(["branch", "build", "check-1", "check-2", "commit"].map((key) => `${key} completed`));
  });

  test("build-feature.ts commits nothing when a check fails", async () => {
    const row = await runCode("build-feature.ts", { task: "A horn", branch: "horn-2", checks: ["exit 1"] });

    expect(row).toMatchObject({ status: "failed", error: { type: "shell_failed", step_id: "check-1" } });
    expect(row.steps.at(-1)).toMatchObject({ step_id: "check-1", attempt: 2 });
  });

  test("fix-bug.ts sees its test fail, then pass, in one conversation", async () => {
    const row = await runCode("fix-bug.ts", { report: "The horn is quiet", branch: "fix-horn", testCommand: "sh check.sh" });

    expect(row).toMatchObject({ status: "completed", output: { branch: "fix-horn" } });
    expect(row.steps.map(({ phase, step_id }) => `${phase}: ${step_id}`)).toEqual([
      expect.stringMatching(/^reproduce: /),
      "reproduce: write-failing-test",
      "reproduce: see-it-fail",
      "fix: fix",
      "verify: see-it-pass",
      expect.stringMatching(/^verify: /),
    ]);
    const sessions = row.steps.flatMap(({ kind, output }) =>
      kind === "agent" ? [(output as { sessionId: string }).sessionId] : [],
    );
    expect(new Set(sessions).size).toBe(1);
  });

  test("fix-bug.ts fails for a bug that its test does not show", async () => {
    const row = await runCode("fix-bug.ts", { report: "None", branch: "fix-none", testCommand: "true" });

    expect(row).toMatchObject({ status: "failed", error_message: expect.stringContaining("was not reproduced") });
  });

  test("full-sdlc.ts goes back when the tests fail, and opens a pull request when the review approves", async () => {
    const row = await runCode("full-sdlc.ts", { idea: "A horn", branch: "sdlc" });

    expect(row).toMatchObject({ status: "completed", error: null, output: { rounds: 2 } });
    expect(row.steps.map(({ step_id }) => step_id)).toEqual([
      ...["setup-branch", "write-spec", "keep-spec", "generate-plan", "implement", "run-tests", "keep-tests"],
      ...["revise", "run-tests", "keep-tests", "review", "commit", "push", "create-pr"],
    ]);
    expect(remote("show", "sdlc:horn.txt")).toBe("toot");
    expect(project.github.pulls()).toMatchObject([{ head: "sdlc", title: "A horn" }]);
  });

  test("implement-feature.ts hands what each phase found to the next", async () => {
    const row = await runCode("implement-feature.ts", { featureName: "Horns", requirements: "Loud." });

    expect(row).toMatchObject({ status: "completed", error: null });
    expect(stepsOf(row)).toEqual(
      ["research-codebase", "create-spec", "implement", "run-tests", "build"].map((key) => `${key} completed`),
    );
  });
});

describe.skipIf(!process.env.LONGHAUL_CODEX_BIN)("with agents of two makers", { timeout: 120_000 }, () => {
  test("simple-sdlc.ts has Claude plan, Codex build and mend, and opens a pull request", async () => {
    project.commit({ "trumpet.md": "# A trumpet\n\nLoud.\n" });
    const row = await runCode("simple-sdlc.ts", { specFile: "trumpet.md" });

    expect(row).toMatchObject({ status: "completed", error: null, output: { branch: "feature/a-trumpet", testsPassed: true } });
    expect(row.steps.map(({ step_id, session }) => [step_id, session?.agent])).toEqual([
      ["load-spec", undefined],
      ["setup-branch", undefined],
      ["generate-plan", "claude"],
      ["implement", "codex"],
      ["run-tests", undefined],
      ["fix", "codex"],
      ["run-tests", undefined],
      ["create-pr", undefined],
    ]);
    expect(remote("show", "feature/a-trumpet:horn.txt")).toBe("toot");
    expect(project.github.pulls()).toContainEqual(expect.objectContaining({ head: "feature/a-trumpet", title: "A trumpet" }));
  });

  test("review-until-approved.ts goes back to who wrote it until the other approves", async () => {
    const row = await runCode("review-until-approved.ts", { task: "A whistle", branch: "whistle" });

    expect(row).toMatchObject({ status: "completed", error: null, output: { branch: "whistle", rounds: 2 } });
    expect(row.steps.map(({ step_id, session }) => [step_id, session?.agent])).toEqual([
      ["branch", undefined],
      ...["write", "review", "write", "review"].map((key) => [key, key === "write" ? "claude" : "codex"]),
      ["commit", undefined],
    ]);
    expect(git(project.stack.project, "show", "whistle:horn.txt")).toBe("toot");
  });

  test("review-until-approved.ts fails when it is not approved in its rounds", async () => {
    const row = await runCode("review-until-approved.ts", { task: "A whistle", branch: "whistle-2", rounds: 1 });

    expect(row).toMatchObject({ status: "failed", error_message: expect.stringContaining("Not approved after 1 rounds") });
  });

  test("ask-three.ts answers what most agents choose", async () => {
    const agents = ["claude", "codex", { provider: "claude", name: "doubter", model: "doubter" }];
    const row = await runCode("ask-three.ts", { question: "Is this a horn?", agents });

    expect(row).toMatchObject({ status: "completed", error: null, output: { choice: "yes" } });
    expect((row.output as { agreed: string[] }).agreed.toSorted()).toEqual(["claude", "codex"]);
  });

  test("second-opinions.workflow.yml is done when most of its agents say so", async () => {
    const row = await runPlan("stages/second-opinions.workflow.yml", { task: "A gong" });

    expect(row).toMatchObject({ status: "completed", error: null, output: { end_reason: "stop_when", iterations: 1 } });
    expect(row.steps.find(({ step_id }) => step_id === "check")?.output).toMatchObject({ data: { done: true } });
  });
});

describe("in YAML", { timeout: 120_000 }, () => {
  test("hello.yaml greets", async () => {
    // A project has one workflow of a name, and hello.ts is there.
    const definition = text("hello.yaml").replace("name: hello", "name: hello-again");

    expect(await project.finished(await project.begin(definition, { who: "Ada" }))).toMatchObject({
      status: "completed",
      steps: [{ output: { stdout: "Hello, Ada\n" } }],
    });
  });

  test("simple-pipeline.yaml deploys what it has built and tested", async () => {
    project.commit({ "horn.txt": "toot\n" }, "with-horn");
    const options = { base_branch: "with-horn" };

    const row = await project.finished(
      await project.begin(text("phases/simple-pipeline.yaml"), { environment: "staging" }, { options }),
    );

    expect(stepsOf(row)).toEqual(["install-deps", "build-app", "run-tests", "deploy"].map((key) => `${key} completed`));
    expect(row.steps[3]?.output).toMatchObject({ stdout: expect.stringContaining("deploying --env staging") });
  });

  test("simple-pipeline.yaml deploys nothing that fails its tests", async () => {
    const row = await runPlan("phases/simple-pipeline.yaml", { environment: "staging" });

    expect(row).toMatchObject({ status: "failed", error: { type: "shell_failed", step_id: "run-tests" } });
    expect(stepsOf(row)).toEqual(["install-deps completed", "build-app completed", "run-tests failed"]);
  });

  test("code-review.yaml reports what its reviewers found", async () => {
    const row = await runPlan("dag/code-review.yaml", { filePath: "engine.ts" });

    expect(row).toMatchObject({ status: "completed", error: null });
    expect(row.steps.at(-1)).toMatchObject({ step_id: "generate-report", output: { text: "Good." } });
  });

  test("delivery.workflow.yml goes back to the code until its check is content", async () => {
    const row = await runPlan("stages/delivery.workflow.yml", { task: "A horn" });

    expect(row).toMatchObject({ status: "completed", output: { end_reason: "stop_when", iterations: 2 } });
    expect(row.steps.map(({ step_id }) => step_id)).toEqual(["plan", "code", "test", "check", "code", "test", "check"]);
    expect(row.steps.filter(({ step_id }) => step_id === "test").map(({ output }) => output)).toMatchObject([
      { exitCode: 1 },
      { exitCode: 0 },
    ]);
  });
});
