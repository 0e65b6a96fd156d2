import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../contract/json.js";
import { type GitHubServer, startGitHubServer } from "../../../local/github-server.js";
import { GitProject, git } from "../../../test/support/git-project.js";
import { ToolProject } from "../../../test/support/tool-project.js";
import { githubServer } from "./index.js";

let project: GitProject;
let server: GitHubServer;
let tools: ToolProject;

beforeEach(async () => {
  project = new GitProject();
  server = await startGitHubServer({ repositories: [{ owner: "ada", name: "engine", path: project.remote }], token: "right" });
  tools = withToken("right");
});
afterEach(async () => {
  await tools.stop();
  await server.stop();
  project.remove();
});

function withToken(token: string | undefined): ToolProject {
  return new ToolProject({ builtIn: new Map([["github", () => githubServer({ apiUrl: server.url, token })]]) });
}

async function use(tool: string, params: JsonObject, attempt = 1): Promise<Json> {
  const repository = { owner: "ada", repo: "engine" };
  return (await tools.use(`github.${tool}`, { ...repository, ...params }, { attempt })).value;
}

describe("the built-in tools of GitHub", () => {
  test("open an issue, change it, and read it back with GitHub's own names", async () => {
    const opened = await use("createIssue", { title: "Broken", body: "Badly.", labels: ["bug"] });
    expect(opened).toMatchObject({
      number: 1,
      title: "Broken",
      labels: ["bug"],
      html_url: `${server.url}/ada/engine/issues/1`,
      created: true,
    });

    expect(await use("addLabels", { number: 1, labels: ["later", "ui"] })).toEqual({ labels: ["bug", "later", "ui"] });
    expect(await use("removeLabel", { number: 1, label: "bug" })).toEqual({ labels: ["later", "ui"], removed: true });
    expect(await use("removeLabel", { number: 1, label: "bug" })).toEqual({ labels: ["later", "ui"], removed: false });
    await use("updateIssue", { number: 1, state: "closed" });

    expect(await use("getIssue", { number: "1" })).toMatchObject({ number: 1, state: "closed", labels: ["later", "ui"] });
  });

  test("make no issue, comment or review a second time when their step is repeated", async () => {
    await feature();
    const make = (attempt: number) => [
      use("createIssue", { title: "Broken" }, attempt),
      use("createComment", { number: 1, body: "Seen." }, attempt),
      use("createReview", { number: 1, body: "Good.", event: "APPROVE" }, attempt),
    ];
    await use("createPullRequest", { title: "One", head: "feature" });

    const first = await Promise.all(make(1));
    const again = await Promise.all(make(2));

    expect(first).toMatchObject([{ number: 2, created: true }, { created: true }, { state: "APPROVED", created: true }]);
    expect(again).toMatchObject([{ number: 2, created: false }, { created: false }, { state: "APPROVED", created: false }]);
    expect(await use("getIssue", { number: 1 })).toMatchObject({ comments: 1 });
  });

  test("make a branch, write a file on it and open a pull request, each once", async () => {
    const sha = git(project.remote, "rev-parse", "main");
    const branch = { branch: "fix/1", from: "main" };
    expect(await use("createBranch", branch)).toEqual({ branch: "fix/1", ref: "refs/heads/fix/1", sha, created: true });
    expect(await use("createBranch", { branch: "fix/1" })).toMatchObject({ sha, created: false });

    const file = { path: "docs/new.md", content: "# New\n", message: "Add a page", branch: "fix/1" };
    expect(await use("updateFile", file)).toMatchObject({ changed: true, commit: git(project.remote, "rev-parse", "fix/1") });
    expect(await use("updateFile", file)).toMatchObject({ changed: false, commit: null });
    expect(await use("getFile", { path: "docs/new.md", ref: "fix/1" })).toMatchObject({ content: "# New\n", size: 6 });

    const pull = { title: "Fix it", head: "fix/1", base: "main", labels: ["bot"] };
    expect(await use("createPullRequest", pull)).toMatchObject({
      number: 1,
      created: true,
      labels: ["bot"],
      head: { ref: "fix/1" },
    });
    expect(await use("createPullRequest", pull)).toMatchObject({ number: 1, created: false });
    expect(server.pulls()).toHaveLength(1);
  });

  test("make a branch that a pull request can be opened for before anything is on it", async () => {
    const parent = git(project.remote, "rev-parse", "main");
    await use("createBranch", { branch: "bare" });
    await expect(use("createPullRequest", { title: "One", head: "bare" })).rejects.toMatchObject({
      message: expect.stringContaining("No commits between main and bare"),
    });

    const { sha } = (await use("createBranch", { branch: "begun", commit: "Begin" })) as { sha: string };

    expect(git(project.remote, "log", "--format=%H %P %s", "-1", "begun")).toBe(`${sha} ${parent} Begin`);
    expect(git(project.remote, "diff", "main", "begun")).toBe("");
    expect(await use("createPullRequest", { title: "One", head: "begun" })).toMatchObject({ created: true });
    expect(await use("createBranch", { branch: "begun", commit: "Begin" })).toMatchObject({ sha, created: false });
  });

  test("read a pull request, its files and its diff", async () => {
    await feature();
    await use("createPullRequest", { title: "One", head: "feature" });

    expect(await use("getPullRequest", { number: 1 })).toMatchObject({ title: "One", merged: false, base: { ref: "main" } });
    expect(await use("listPullRequestFiles", { number: 1 })).toEqual([
      { filename: "README.md", status: "modified", additions: 1, deletions: 0, changes: 1 },
    ]);
    expect(await use("getPullRequestDiff", { number: 1 })).toMatchObject({
      diff: expect.stringContaining("+More."),
      truncated: false,
    });
    expect(await use("getPullRequestDiff", { number: 1, maxChars: 10 })).toEqual({ diff: "diff --git", truncated: true });
  });

  test("read runs of Actions, their failed jobs and the end of a log", async () => {
    const id = server.addRun("ada/engine", {
      name: "CI",
      head_branch: "main",
      conclusion: "failure",
      jobs: [
        { name: "lint", conclusion: "success", log: "" },
        { name: "test", conclusion: "failure", log: "one\ntwo\nError: three" },
      ],
    });

    expect(await use("listWorkflowRuns", { branch: "main", status: "failure" })).toMatchObject([{ id, conclusion: "failure" }]);
    expect(await use("getWorkflowRun", { runId: id })).toMatchObject({ name: "CI", head_branch: "main" });
    const jobs = (await use("listWorkflowJobs", { runId: id, filter: "failed" })) as { id: number }[];
    expect(jobs).toMatchObject([{ name: "test", conclusion: "failure" }]);
    const log = { jobId: jobs[0]!.id };
    expect(await use("getJobLogs", log)).toEqual({ logs: "one\ntwo\nError: three", truncated: false });
    expect(await use("getJobLogs", { ...log, maxChars: 12 })).toEqual({ logs: "Error: three", truncated: true });
  });

  test("refuse params that do not fit, before GitHub is asked", async () => {
    await expect(use("getIssue", { number: 0 })).rejects.toMatchObject({ type: "tool_invalid_params" });
    await expect(use("getIssue", { issue: 1 })).rejects.toMatchObject({
      type: "tool_invalid_params",
      message: expect.stringContaining("required property 'number'"),
    });
    await expect(use("getIssues", {})).rejects.toMatchObject({
      type: "tool_unknown",
      message: expect.stringContaining('"getIssue"?'),
    });
  });

  test("say what GitHub does not like", async () => {
    await expect(use("getIssue", { number: 7 })).rejects.toMatchObject({
      type: "github_not_found",
      message: expect.stringContaining("no issue or pull request of this number, or no repository ada/engine"),
    });
    await expect(
      use("updateFile", { path: "README.md", content: "x", message: "m", branch: "main", sha: "0".repeat(40) }),
    ).rejects.toMatchObject({
      type: "github_conflict",
    });
    await expect(use("createPullRequest", { title: "One", head: "none" })).rejects.toMatchObject({ type: "github_invalid" });
    server.refuseNext(502, "Bad gateway");
    await expect(use("getIssue", { number: 7 })).rejects.toMatchObject({ type: "github_unavailable" });

    for (const [token, type] of [
      [undefined, "github_token_missing"],
      ["wrong", "github_unauthorized"],
    ] as const) {
      await tools.stop();
      tools = withToken(token);
      await expect(use("getIssue", { number: 7 })).rejects.toMatchObject({ type });
    }
  });
});

async function feature(): Promise<void> {
  project.git("switch", "--quiet", "--create", "feature");
  project.write("README.md", "# A project\nMore.\n");
  project.git("commit", "--quiet", "--all", "--message=More");
  project.git("push", "--quiet", "origin", "feature");
}
