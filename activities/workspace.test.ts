import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GitProject, git, writeFile } from "../test/support/git-project.js";
import { ensureBranch } from "./branch.js";
import { commit } from "./commit.js";
import { openGit } from "./git-client.js";
import { snapshotTree } from "./snapshot.js";
import { openWorkspace } from "./workspace.js";
import { readOwner } from "./workspace-owner.js";

let project: GitProject;
let root: string;

beforeEach(() => {
  project = new GitProject();
  root = project.root;
});
afterEach(() => project.remove());

describe("openWorkspace", () => {
  test("makes a worktree at the project's commit, detached, without its uncommitted changes", async () => {
    project.write("README.md", "changed");
    const run = project.run();
    const base = project.git("rev-parse", "HEAD");

    expect(await openWorkspace(run, { root, execution: "exec-1" })).toEqual({
      path: run.workspace.path,
      base_commit: base,
      branch: null,
      git: true,
    });
    expect(readFileSync(join(run.workspace.path, "README.md"), "utf8")).toBe("# A project\n");
    expect(git(run.workspace.path, "rev-parse", "HEAD")).toBe(base);
    expect(await readOwner(run.workspace.path)).toMatchObject({ run_id: "run_1", execution: "exec-1", mode: "worktree" });
    expect(readFileSync(join(project.path, ".git/info/exclude"), "utf8")).toMatch(/^\.agent\/workflows\/executions\/$/m);
  });

  test("finds the tree when asked again, and names the new execution as its owner", async () => {
    const run = project.run();
    const first = await openWorkspace(run, { root, execution: "exec-1" });
    writeFileSync(join(run.workspace.path, "new.txt"), "kept");
    project.git("commit", "--quiet", "--allow-empty", "--message=Later");

    expect(await openWorkspace(run, { root, execution: "exec-2" })).toEqual(first);
    expect(readFileSync(join(run.workspace.path, "new.txt"), "utf8")).toBe("kept");
    expect(await readOwner(run.workspace.path)).toMatchObject({ execution: "exec-2" });
  });

  test("gives runs that begin together trees of their own", async () => {
    const runs = ["run_a", "run_b", "run_c", "run_d"].map((id) => project.run(id));
    await Promise.all(runs.map((run) => openWorkspace(run, { root })));
    for (const run of runs) expect(existsSync(join(run.workspace.path, "README.md"))).toBe(true);
  });

  test("begins from a branch of the project or of its remote", async () => {
    project.git("switch", "--quiet", "--create", "old");
    project.git("commit", "--quiet", "--allow-empty", "--message=Old");
    const old = project.git("rev-parse", "HEAD");
    project.git("push", "--quiet", "origin", "old:only-there");
    project.git("fetch", "--quiet", "origin");
    project.git("switch", "--quiet", "main");

    expect(await openWorkspace(project.run("run_a", "worktree", "old"), { root })).toMatchObject({ base_commit: old });
    expect(await openWorkspace(project.run("run_b", "worktree", "only-there"), { root })).toMatchObject({ base_commit: old });
    await expect(openWorkspace(project.run("run_c", "worktree", "none"), { root })).rejects.toMatchObject({
      type: "invalid_ref",
    });
    await expect(openWorkspace(project.run("run_d", "worktree", "--force"), { root })).rejects.toMatchObject({
      type: "invalid_ref",
    });
  });

  test("clones into a repository of its own that pushes where the project pushes", async () => {
    const run = project.run("run_1", "clone");
    await openWorkspace(run, { root });
    expect(git(run.workspace.path, "rev-parse", "--git-common-dir")).toBe(".git");
    expect(git(run.workspace.path, "remote", "get-url", "origin")).toBe(project.remote);
    expect(await openWorkspace(run, { root })).toMatchObject({ branch: null, git: true });
  });

  test("works in place, with and without git", async () => {
    expect(await openWorkspace(project.run("run_1", "in_place"), { root })).toMatchObject({ path: project.path, branch: "main" });

    const plain = join(project.folder, "plain");
    mkdirSync(plain);
    const run = { ...project.run("run_2", "in_place"), project_path: plain };
    run.workspace.path = plain;
    expect(await openWorkspace(run, { root })).toEqual({ path: plain, base_commit: null, branch: null, git: false });
    run.workspace = { mode: "worktree", path: join(root, "x/run_2"), base_branch: null };
    await expect(openWorkspace(run, { root })).rejects.toMatchObject({
      type: "not_a_repository",
      message: expect.stringContaining("in_place"),
    });
  });

  test("says so when a repository has no commit to begin from", async () => {
    const empty = join(project.folder, "empty");
    git(project.folder, "init", "--quiet", empty);
    await expect(openWorkspace({ ...project.run(), project_path: empty }, { root })).rejects.toMatchObject({
      type: "not_a_repository",
      message: expect.stringContaining("no commit yet"),
    });
  });

  test("makes anew what an earlier attempt left half made", async () => {
    const run = project.run();
    writeFile(join(run.workspace.path, "half.txt"), "half");
    await openWorkspace(run, { root });
    expect(existsSync(join(run.workspace.path, "half.txt"))).toBe(false);
    expect(existsSync(join(run.workspace.path, "README.md"))).toBe(true);
  });

  test("makes anew what a git left that was killed while it made the tree", async () => {
    const run = project.run();
    const entry = join(project.path, ".git/worktrees/run_1");
    project.git("worktree", "add", "--quiet", "--detach", run.workspace.path);
    writeFileSync(join(entry, "locked"), "initializing");
    rmSync(join(run.workspace.path, "README.md"));

    expect(await openWorkspace(run, { root })).toMatchObject({ path: run.workspace.path, git: true });
    expect(existsSync(join(run.workspace.path, "README.md"))).toBe(true);
    expect(existsSync(join(entry, "locked"))).toBe(false);
  });

  test("ends a git that goes on making the tree after its worker died", async () => {
    const run = project.run();
    const late = join(run.workspace.path, "late.txt");
    const command = `mkdir -p ${run.workspace.path}; while :; do echo late > ${late}; done`;
    const env = { ...process.env, LONGHAUL_RUN_ID: "run_1", LONGHAUL_OPERATION: `workspace:${run.workspace.path}` };
    const orphan = spawn("bash", ["-c", command], { env, detached: true, stdio: "ignore" });
    await vi.waitFor(() => expect(existsSync(late)).toBe(true), 10_000);

    await openWorkspace(run, { root });
    expect(orphan.signalCode).toBe("SIGTERM");
    expect(git(run.workspace.path, "status", "--porcelain")).toBe("");
  });

  test.each(["worktree", "clone", "in_place"] as const)(
    "has git pass by what a worker leaves that was killed while it wrote a file (%s)",
    async (mode) => {
      const run = project.run("run_1", mode);
      const { path } = await openWorkspace(run, { root });
      writeFile(join(path, "src", ".longhaul-0123456789ab.tmp"), "half");
      writeFile(join(path, "src", "whole.txt"), "whole");
      const committed = await commit(await openGit(path), { message: "Work" }, { step: "run_1/1", several: false });

      expect(git(path, "show", "--format=", "--name-only", committed.sha)).toBe("src/whole.txt");
    },
  );

  test("brings a deleted tree back from the newest snapshot: branch, commits and uncommitted changes", async () => {
    const run = project.run();
    const { path } = run.workspace;
    await openWorkspace(run, { root });
    await ensureBranch(await openGit(path), { name: "feature" });
    writeFileSync(join(path, "old.txt"), "old");
    await snapshotTree(await openGit(path), run.run_id, 9);
    rmSync(join(path, "old.txt"));
    writeFileSync(join(path, "new.txt"), "new");
    writeFileSync(join(path, "README.md"), "edited");
    await snapshotTree(await openGit(path), run.run_id, 10);
    rmSync(path, { recursive: true });

    await expect(openGit(path)).rejects.toMatchObject({ type: "workspace_missing" });
    expect(await openWorkspace(run, { root })).toMatchObject({ branch: "feature" });
    expect(git(path, "status", "--porcelain")).toBe(" M README.md\n?? new.txt");
    expect(readFileSync(join(path, "new.txt"), "utf8")).toBe("new");
  });

  test("brings a deleted tree back at the run's own last commit when that came after the snapshot", async () => {
    const run = project.run();
    const { path } = run.workspace;
    await openWorkspace(run, { root });
    await ensureBranch(await openGit(path), { name: "feature" });
    await snapshotTree(await openGit(path), run.run_id, 1);
    writeFileSync(join(path, "new.txt"), "new");
    git(path, "add", "--all");
    git(path, "commit", "--quiet", "--message=More");
    const sha = git(path, "rev-parse", "HEAD");
    rmSync(path, { recursive: true });

    await openWorkspace(run, { root });
    expect(git(path, "rev-parse", "HEAD")).toBe(sha);
    expect(git(path, "status", "--porcelain")).toBe("");
  });

  test("brings a deleted tree back without its branch when that is checked out elsewhere by now", async () => {
    const run = project.run();
    const { path } = run.workspace;
    await openWorkspace(run, { root });
    await ensureBranch(await openGit(path), { name: "feature" });
    await snapshotTree(await openGit(path), run.run_id, 1);
    rmSync(path, { recursive: true });
    project.git("worktree", "prune");
    project.git("switch", "--quiet", "feature");

    expect(await openWorkspace(run, { root })).toMatchObject({ branch: null });
    expect(project.git("branch", "--show-current")).toBe("feature");
  });

  test("refuses a tree outside its root, also through a link", async () => {
    symlinkSync("/tmp", join(project.folder, "link"));
    mkdirSync(root);
    symlinkSync(project.folder, join(root, "out"));
    for (const path of [join(project.folder, "elsewhere"), root, `${root}/../x`, join(root, "out/x"), "/"]) {
      const run = { ...project.run(), workspace: { mode: "worktree" as const, path, base_branch: null } };
      await expect(openWorkspace(run, { root })).rejects.toMatchObject({ type: "invalid_path" });
    }
    expect(existsSync(join(project.path, "README.md"))).toBe(true);
  });
});
