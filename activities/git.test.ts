import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunRef } from "../contract/activity.js";
import { type GitHubServer, startGitHubServer } from "../local/github-server.js";
import { callOf, runActivity } from "../test/support/activity.js";
import { GitProject, git } from "../test/support/git-project.js";
import { createFilesActivities } from "./files.js";
import { createGitActivities, createWorkspaceActivities, worktreesRoot } from "./git.js";
import { openGit } from "./git-client.js";
import { Journal } from "./journal.js";
import { snapshotTree } from "./snapshot.js";
import type { TreeDeps } from "./tree-step.js";
import { openWorkspace } from "./workspace.js";

let project: GitProject;
let server: GitHubServer;
let deps: TreeDeps & { home: string; githubApiUrl: string; githubToken: string };
let run: RunRef;

beforeEach(async () => {
  project = new GitProject();
  project.git("config", "longhaul.repository", "ada/engine");
  server = await startGitHubServer({ repositories: [{ owner: "ada", name: "engine", path: project.remote }] });
  const home = join(project.folder, "home");
  run = { ...project.run(), workspace: { mode: "worktree", path: join(worktreesRoot(home), "prj_1/run_1"), base_branch: null } };
  deps = {
    home,
    journal: new Journal(join(project.folder, "journal")),
    log: { append: async () => {} },
    githubApiUrl: server.url,
    githubToken: "token",
    snapshotTree: async ({ run, step }) => snapshotTree(await openGit(run.workspace.path), run.run_id, step.number),
    openTree: ({ run }) => openWorkspace(run, { root: worktreesRoot(home) }),
  };
});
afterEach(async () => {
  await server.stop();
  await deps.journal.stop();
  project.remove();
});

describe("the steps of a delivery", () => {
  test("lead from a new tree to a pull request, and leave the project's own folder alone", async () => {
    const { openWorkspace } = createWorkspaceActivities(deps);
    const files = createFilesActivities(deps);
    const steps = createGitActivities(deps);
    const before = [project.git("status", "--porcelain"), project.git("rev-parse", "HEAD")];

    expect(await runActivity(openWorkspace, run)).toMatchObject({ path: run.workspace.path, branch: null, git: true });
    const branch = await runActivity(steps.gitEnsureBranch, callOf(run, { name: "feature" }, { number: 1 }));
    expect(branch).toMatchObject({ value: { branch: "feature", created: true }, tree: { shared: false }, lost: [] });
    const written = await runActivity(
      files.filesWrite,
      callOf(run, { path: "src/a.ts", content: "export {};\n" }, { number: 2, kind: "files" }),
    );
    expect(git(run.workspace.path, "rev-parse", "refs/longhaul/run_1/2")).toBe(written.tree?.commit);
    expect((await runActivity(steps.gitStatus, callOf(run, {}))).value.files).toEqual([
      { path: "src/a.ts", status: "untracked" },
    ]);
    const commit = callOf(run, { message: "Add a" }, { number: 3 });
    const { value } = await runActivity(steps.gitCommit, commit);
    expect((await runActivity(steps.gitCommit, commit)).value).toEqual({ sha: value.sha, created: false });
    expect((await runActivity(steps.gitPush, callOf(run, {}, { number: 4 }))).value).toEqual({
      remote: "origin",
      branch: "feature",
      sha: value.sha,
    });
    const pull = await runActivity(steps.gitCreatePr, callOf(run, { title: "Add a" }, { number: 5 }));
    expect(pull).toMatchObject({ value: { number: 1, created: true } });
    expect(pull.tree).toBeUndefined();
    expect((await runActivity(steps.gitCurrentCommit, callOf(run, {}))).value).toBe(value.sha);
    expect((await runActivity(steps.gitCurrentBranch, callOf(run, {}))).value).toBe("feature");
    expect([project.git("status", "--porcelain"), project.git("rev-parse", "HEAD")]).toEqual(before);
  });

  test("fail clearly when the tree is gone, and go on from the last step's when tried again", async () => {
    await runActivity(createWorkspaceActivities(deps).openWorkspace, run);
    const { filesWrite } = createFilesActivities(deps);
    await runActivity(filesWrite, callOf(run, { path: "one.txt", content: "1" }, { number: 1, kind: "files" }));
    rmSync(run.workspace.path, { recursive: true });

    const second = (attempt: number) => callOf(run, { path: "two.txt", content: "2" }, { number: 2, kind: "files", attempt });
    await expect(runActivity(filesWrite, second(1))).rejects.toMatchObject({ type: "workspace_missing", nonRetryable: true });
    await runActivity(filesWrite, second(2));
    for (const name of ["one.txt", "two.txt", "README.md"]) expect(existsSync(join(run.workspace.path, name))).toBe(true);
  });

  test("say what is missing in a folder without git", async () => {
    const plain = {
      ...run,
      project_path: project.folder,
      workspace: { mode: "in_place" as const, path: project.folder, base_branch: null },
    };
    expect(await runActivity(createWorkspaceActivities(deps).openWorkspace, plain)).toMatchObject({ git: false });
    await expect(runActivity(createGitActivities(deps).gitCommit, callOf(plain, { message: "x" }))).rejects.toMatchObject({
      type: "not_a_repository",
    });
    const { tree } = await runActivity(createFilesActivities(deps).filesWrite, callOf(plain, { path: "a.txt", content: "a" }));
    expect(tree).toBeUndefined();
  });

  test("report why a tree cannot be made", async () => {
    const lost = { ...run, project_path: join(project.folder, "gone") };
    await expect(runActivity(createWorkspaceActivities(deps).openWorkspace, lost)).rejects.toMatchObject({
      type: "workspace_missing",
      nonRetryable: true,
    });
  });
});
