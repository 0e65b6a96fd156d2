import { beforeAll, describe, expect, test } from "vitest";
import type { Rule } from "../local/model-script.js";
import { answer, type ExampleProject, exampleProject, stepsOf, toolsExample } from "./support/example-project.js";
import { git } from "./support/git-project.js";

const MANIFEST = { name: "engine", dependencies: { gears: "1.0.0" } };
const UPDATED = { name: "engine", dependencies: { gears: "2.0.0" } };

const RULES: Rule[] = [
  {
    when: /Classify this issue/,
    moves: [answer({ type: "bug", priority: "high", category: "gears", suggested_labels: ["bug", "gears"], notes: "Oil it." })],
  },
  {
    when: /Review this change/,
    moves: [
      answer({ summary: "It turns.", event: "APPROVE", comments: [{ path: "gears.txt", line: 1, body: "Why this one?" }] }),
    ],
  },
  {
    when: /Why did this CI job fail/,
    moves: [
      answer({
        description: "A tooth is missing.",
        root_cause: "It broke.",
        fix_description: "",
        fix: "",
        affected_files: [],
        confidence: "high",
      }),
    ],
  },
  {
    when: /Which dependencies of this package\.json/,
    moves: ({ prompt }) => [
      answer(
        prompt.includes("1.0.0")
          ? { update: true, content: JSON.stringify(UPDATED), summary: "Gears 2." }
          : { update: false, content: "", summary: "All is new." },
      ),
    ],
  },
];

let project: ExampleProject;
beforeAll(async () => {
  project = await exampleProject(RULES);
});

const run = async (name: string, input: object, more?: object) =>
  project.finished(await project.begin(toolsExample(name), input, more));
const remote = (...args: string[]) => git(git(project.stack.project, "remote", "get-url", "origin"), ...args);
const newIssue = (title: string, body = "") =>
  project.onGitHub<{ number: number }>("POST", "issues", { title, body }).then(({ number }) => number);

describe("issue_to_pr", () => {
  test("opens a draft pull request for an issue, and finds it again", async () => {
    const issue = await newIssue("Gears grind");

    const first = await run("issue_to_pr", { issue_number: issue });
    const second = await run("issue_to_pr", { issue_number: issue });

    expect(stepsOf(first)).toEqual(["fetch_issue completed", "create_branch completed", "create_pr completed"]);
    const [pull] = project.github.pulls().filter(({ head }) => head === `issue-${issue}`);
    expect(pull).toMatchObject({ title: "Gears grind", draft: true, base: "main", state: "open" });
    expect(pull?.body).toContain(`Closes #${issue}.`);
    expect(remote("log", "-1", "--format=%s", `issue-${issue}`)).toBe(`Begin #${issue}: Gears grind`);
    expect(second.steps.map(({ output }) => output)).toMatchObject([
      { number: issue },
      { created: false },
      { number: pull?.number, created: false },
    ]);
    expect(project.github.pulls().filter(({ head }) => head === `issue-${issue}`)).toHaveLength(1);
  });

  test("makes nothing for an issue that is not there", async () => {
    const pulls = project.github.pulls().length;

    const row = await run("issue_to_pr", { issue_number: 999 });

    expect(row).toMatchObject({ status: "failed", error: { type: "github_not_found", step_id: "fetch_issue" } });
    expect(stepsOf(row)).toEqual(["fetch_issue failed"]);
    expect(project.github.pulls()).toHaveLength(pulls);
  });
});

describe("issue_triage", () => {
  test("labels an issue and says why", async () => {
    const issue = await newIssue("Gears grind", "Since Monday.");

    const row = await run("issue_triage", { issue_number: issue });

    expect(stepsOf(row)).toEqual(["fetch_issue", "classify", "label_issue", "comment"].map((key) => `${key} completed`));
    const labels = await project.onGitHub<{ name: string }[]>("GET", `issues/${issue}/labels`);
    expect(labels.map(({ name }) => name)).toEqual(["bug", "gears"]);
    const comments = await project.onGitHub<{ body: string }[]>("GET", `issues/${issue}/comments`);
    expect(comments).toMatchObject([{ body: expect.stringContaining("This is a bug of high priority. Oil it.") }]);
  });

  test("leaves a closed issue alone", async () => {
    const issue = await newIssue("Done");
    await project.onGitHub("PATCH", `issues/${issue}`, { state: "closed" });

    const row = await run("issue_triage", { issue_number: issue });

    expect(row.status).toBe("completed");
    expect(stepsOf(row)).toEqual(["fetch_issue completed", "classify skipped", "label_issue skipped", "comment skipped"]);
  });

  test("goes past an agent that fails, and writes nothing then", async () => {
    const issue = await newIssue("Broken", "[[status 500]]");

    const row = await run("issue_triage", { issue_number: issue });

    expect(row.status).toBe("completed");
    expect(stepsOf(row)).toEqual(["fetch_issue completed", "classify failed", "label_issue skipped", "comment skipped"]);
    expect(row.steps[1]?.error).toMatchObject({ type: "agent_api_error" });
    expect(await project.onGitHub("GET", `issues/${issue}/comments`)).toEqual([]);
  });
});

describe("pr_review_workflow", () => {
  const newPull = async (branch: string): Promise<number> => {
    project.commit({ "gears.txt": `${branch}\n` }, branch);
    return (await project.onGitHub<{ number: number }>("POST", "pulls", { title: branch, head: branch, base: "main" })).number;
  };

  test("leaves a review with comments on lines", async () => {
    const pull = await newPull("more-gears");

    const row = await run("pr_review_workflow", { pr_number: pull });

    expect(stepsOf(row)).toEqual(["fetch_pr", "fetch_diff", "review_changes", "leave_review"].map((key) => `${key} completed`));
    expect(project.model.requests.at(-1)?.conversation.exchanges[0]?.prompt).toContain("+more-gears");
    expect(await project.onGitHub("GET", `pulls/${pull}/reviews`)).toMatchObject([
      { state: "COMMENTED", body: expect.stringContaining("It turns.") },
    ]);
    expect(row.steps[3]?.input).toMatchObject({ comments: [{ path: "gears.txt", line: 1, body: "Why this one?" }] });
  });

  test("leaves a closed pull request alone", async () => {
    const pull = await newPull("no-gears");
    await project.onGitHub("PATCH", `pulls/${pull}`, { state: "closed" });

    const row = await run("pr_review_workflow", { pr_number: pull });

    expect(row.status).toBe("completed");
    expect(stepsOf(row)).toEqual(["fetch_pr completed", "fetch_diff skipped", "review_changes skipped", "leave_review skipped"]);
  });

  test("fails for a number that is no pull request's", async () => {
    const row = await run("pr_review_workflow", { pr_number: await newIssue("No pull request") });

    expect(row).toMatchObject({ status: "failed", error: { type: "github_not_found", step_id: "fetch_pr" } });
  });
});

describe("ci_failure_handler", () => {
  const job = (name: string, conclusion: "success" | "failure", log: string) => ({ name, conclusion, log });
  const addRun = (conclusion: "success" | "failure") =>
    project.github.addRun("ada/engine", {
      name: "CI",
      head_branch: "main",
      conclusion,
      jobs: [job("lint", "success", "fine"), job("turn", conclusion, "Error: tooth 7")],
    });

  test("explains a run that failed in an issue", async () => {
    const id = addRun("failure");

    const row = await run("ci_failure_handler", { run_id: id });

    expect(stepsOf(row)).toEqual(
      ["fetch_run", "list_jobs", "fetch_logs", "analyze_failure", "open_issue"].map((key) => `${key} completed`),
    );
    expect(project.model.requests.at(-1)?.conversation.exchanges[0]?.prompt).toContain("Error: tooth 7");
    const opened = row.steps[4]?.output as { number: number } | undefined;
    expect(await project.onGitHub("GET", `issues/${opened?.number}`)).toMatchObject({
      title: "CI fails: turn",
      body: expect.stringContaining("A tooth is missing."),
      labels: [{ name: "ci" }],
    });
  });

  test("has nothing to say of a run that went well", async () => {
    const row = await run("ci_failure_handler", { run_id: addRun("success") });

    expect(row.status).toBe("completed");
    expect(stepsOf(row)).toEqual([
      "fetch_run completed",
      ...["list_jobs", "fetch_logs", "analyze_failure", "open_issue"].map((key) => `${key} skipped`),
    ]);
  });
});

describe("dependency_update", () => {
  test("fails where there is no package.json, before an agent is asked", async () => {
    const asked = project.model.requests.length;

    const row = await run("dependency_update", { branch: "update-1" });

    expect(row).toMatchObject({ status: "failed", error: { type: "github_not_found", step_id: "read_manifest" } });
    expect(project.model.requests).toHaveLength(asked);
  });

  test("opens a pull request with what the agent proposes, and makes nothing when all is new", async () => {
    project.commit({ "package.json": JSON.stringify(MANIFEST) });

    const row = await run("dependency_update", { branch: "update-2" });

    expect(stepsOf(row)).toEqual(
      ["read_manifest", "propose_update", "create_branch", "write_manifest", "create_pr"].map((key) => `${key} completed`),
    );
    expect(JSON.parse(remote("show", "update-2:package.json"))).toEqual(UPDATED);
    expect(project.github.pulls().filter(({ head }) => head === "update-2")).toMatchObject([
      { title: "Update dependencies", body: expect.stringContaining("Gears 2.") },
    ]);

    project.commit({ "package.json": JSON.stringify(UPDATED) });
    const again = await run("dependency_update", { branch: "update-3" });

    expect(again.status).toBe("completed");
    expect(stepsOf(again).slice(2)).toEqual(["create_branch skipped", "write_manifest skipped", "create_pr skipped"]);
    expect(remote("branch", "--list", "update-3")).toBe("");
  });
});
