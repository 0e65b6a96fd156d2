import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunRef } from "../contract/activity.js";
import type { Restore, StepRange } from "../contract/restore.js";
import { GitProject, git, writeFile } from "../test/support/git-project.js";
import { ensureBranch } from "./branch.js";
import { openGit } from "./git-client.js";
import { refuseLate } from "./refuse-late.js";
import { claimTree, restoreTree } from "./restore-tree.js";
import { snapshotTree } from "./snapshot.js";
import { openWorkspace } from "./workspace.js";

let project: GitProject;
let run: RunRef;
let tree: string;

beforeEach(async () => {
  project = new GitProject();
  run = project.run();
  tree = run.workspace.path;
  await openWorkspace(run, { root: project.root, execution: "exec-1" });
});
afterEach(() => project.remove());

describe("restoreTree", () => {
  test("puts files, HEAD and the run's own branch back, and leaves what git ignores", async () => {
    await begin("feature");
    write("draft.txt", "uncommitted");
    const kept = await leave(1);
    const head = git(tree, "rev-parse", "HEAD");
    write("ignored.log", "stays");
    write("later.txt", "later");
    commitAll("Later");
    rmSync(join(tree, "README.md"));

    expect(await restore(kept, [[1, 1]])).toBeUndefined();

    expect([git(tree, "rev-parse", "HEAD"), git(tree, "branch", "--show-current")]).toEqual([head, "feature"]);
    expect(git(tree, "status", "--porcelain")).toBe("?? draft.txt");
    expect([read("README.md"), read("ignored.log")]).toEqual(["# A project\n", "stays"]);
    expect(project.git("log", "-1", "--format=%s", "refs/longhaul/run_1/superseded/1/feature")).toBe("Later");
  });

  test("removes a branch that was not there yet, and begins anew what had no tree", async () => {
    await begin("feature");
    write("a.txt", "a");
    await leave(1);

    expect(await restore(null, [])).toBeUndefined();

    expect(existsSync(tree)).toBe(false);
    expect(project.git("branch", "--list", "feature")).toBe("");
    await openWorkspace(run, { root: project.root, execution: "exec-2" });
    expect([existsSync(join(tree, "a.txt")), git(tree, "branch", "--show-current")]).toEqual([false, ""]);
  });

  test("touches no branch that is somebody else's", async () => {
    project.git("branch", "theirs", "main");
    backdate("theirs");
    await begin("theirs");
    const kept = await leave(1);
    write("mine.txt", "mine");
    commitAll("Mine");
    const tip = project.git("rev-parse", "theirs");

    expect(await restore(kept, [[1, 1]])).toContain("theirs is not the run's own");

    expect(project.git("rev-parse", "theirs")).toBe(tip);
    expect([git(tree, "branch", "--show-current"), existsSync(join(tree, "mine.txt"))]).toEqual(["", false]);
  });

  test("makes a tree that has gone from what it was restored to, not from what came after", async () => {
    write("a.txt", "a");
    const kept = await leave(1);
    write("b.txt", "b");
    await leave(2);
    rmSync(tree, { recursive: true });

    await restore(kept, [[1, 1]]);
    await openWorkspace(run, { root: project.root, execution: "exec-2" });

    expect([existsSync(join(tree, "a.txt")), existsSync(join(tree, "b.txt"))]).toEqual([true, false]);
  });

  test("refuses what an earlier execution has still to do there", async () => {
    await restore(null, []);
    const { signal } = new AbortController();
    const late = refuseLate({}, run, { workflow_id: run.run_id, execution: "exec-1" }, signal);

    await expect(late).rejects.toMatchObject({ type: "superseded" });
    const restored = { ...run, workspace: { ...run.workspace, restored: 1 } };
    await refuseLate({}, restored, { workflow_id: run.run_id, execution: "exec-2" }, signal);
  });
});

async function begin(name: string): Promise<void> {
  await ensureBranch(await openGit(tree), { name });
}

async function leave(step: number): Promise<Restore["tree"]> {
  const left = await snapshotTree(await openGit(tree), run.run_id, step);
  return { step_number: step, commit: left?.commit ?? "" };
}

async function restore(kept: Restore["tree"], ranges: StepRange[]): Promise<string | undefined> {
  const asked = { count: 1, request: "req_1", at: "2026-01-01T00:00:00.000Z", by: null, checkpoint_id: null, numbers: 2 };
  const then = { state: {}, phase: null, branch_name: null, commit_sha: null };
  const options = { execution: "exec-2" };
  await claimTree(run, asked, options);
  return restoreTree(run, { ...asked, ...then, kept: ranges, tree: kept }, options);
}

function write(path: string, content: string): void {
  writeFile(join(tree, path), content);
}

function read(path: string): string {
  return readFileSync(join(tree, path), "utf8");
}

function commitAll(message: string): void {
  git(tree, "add", "--all");
  git(tree, "commit", "--quiet", `--message=${message}`);
}

/** As if git had the branch since long ago. */
function backdate(branch: string): void {
  const file = join(project.path, ".git/logs/refs/heads", branch);
  writeFile(file, readFileSync(file, "utf8").replace(/> \d+ /, "> 1500000000 "));
}
