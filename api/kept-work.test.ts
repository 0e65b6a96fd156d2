import { execFileSync } from "node:child_process";
import { existsSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { makeRepository } from "../test/support/repository.js";
import { testFolder } from "../test/support/stack.js";
import { keepSnapshotWork, keepTreeWork } from "./kept-work.js";

let project: string;
let tree: string;
beforeEach(async () => {
  const folder = realpathSync(testFolder());
  project = await makeRepository(folder);
  tree = join(folder, "tree");
});

const keep = () => keepTreeWork({ project, tree, runId: "run_1" });

test("nothing is kept of a tree whose commit a branch has", async () => {
  git(project, "worktree", "add", "--quiet", "--detach", tree);
  writeFileSync(join(tree, "README.md"), "# Sample\n"); // written anew, and the same

  expect(await keep()).toEqual([]);
  expect(await keepTreeWork({ project, tree: join(tree, "nothing"), runId: "run_1" })).toEqual([]);
});

test("a commit that no branch has is kept, and so is what was not committed", async () => {
  git(project, "worktree", "add", "--quiet", "--detach", tree);
  commit(tree, "work.txt");
  writeFileSync(join(tree, "README.md"), "changed");
  writeFileSync(join(tree, "left.txt"), "left");

  expect(await keep()).toEqual(["refs/longhaul-kept/run_1/head", "refs/longhaul-kept/run_1/tree"]);
  expect(await keep()).toEqual(["refs/longhaul-kept/run_1/head", "refs/longhaul-kept/run_1/tree"]); // again, the same
  git(project, "worktree", "remove", "--force", tree);
  expect(git(project, "show", "refs/longhaul-kept/run_1/head:work.txt")).toBe("work.txt");
  expect(git(project, "show", "refs/longhaul-kept/run_1/tree:README.md")).toBe("changed");
  expect(git(project, "ls-tree", "--name-only", "refs/longhaul-kept/run_1/tree").split("\n")).toContain("left.txt");
});

test("a clone's branches are brought into the project", async () => {
  git(project, "clone", "--quiet", "--local", project, tree);
  git(tree, "checkout", "--quiet", "-b", "feature/clone");
  commit(tree, "work.txt");
  git(tree, "checkout", "--quiet", "main");
  writeFileSync(join(tree, "left.txt"), "left");

  expect(await keep()).toEqual(["refs/longhaul-kept/run_1/heads/feature/clone", "refs/longhaul-kept/run_1/tree"]);
  expect(git(project, "show", "refs/longhaul-kept/run_1/heads/feature/clone:work.txt")).toBe("work.txt");
  expect(git(project, "show", "refs/longhaul-kept/run_1/tree:left.txt")).toBe("left");
  expect(git(project, "branch", "--format=%(refname:short)")).toBe("main");
});

test("no filter or hook of the repository runs meanwhile", async () => {
  git(project, "worktree", "add", "--quiet", "--detach", tree);
  const ran = join(tree, "..", "ran");
  git(project, "config", "filter.trap.clean", `touch ${ran}; cat`);
  git(project, "config", "filter.trap.required", "true");
  git(project, "config", "core.fsmonitor", `touch ${ran}`);
  writeFileSync(join(tree, ".gitattributes"), "* filter=trap\n");
  writeFileSync(join(tree, "left.txt"), "left");

  expect(await keep()).toEqual(["refs/longhaul-kept/run_1/tree"]);
  expect(existsSync(ran)).toBe(false);
  expect(git(project, "show", "refs/longhaul-kept/run_1/tree:left.txt")).toBe("left");
});

test("the newest snapshot is kept where the tree is gone, when it holds more than branches do", async () => {
  const snapshot = (number: number, of: string) => {
    const id = git(project, "commit-tree", "-p", "main", "-m", `Step ${number}`, of);
    git(project, "update-ref", `refs/longhaul/run_1/${number}`, id);
    return id;
  };
  const place = { project, tree, runId: "run_1" };
  snapshot(9, git(project, "rev-parse", "main^{tree}"));
  expect(await keepSnapshotWork(place)).toEqual([]);

  const more = snapshot(10, git(project, "hash-object", "-t", "tree", "-w", "/dev/null"));
  expect(await keepSnapshotWork(place)).toEqual(["refs/longhaul-kept/run_1/tree"]);
  expect(git(project, "rev-parse", "refs/longhaul-kept/run_1/tree")).toBe(more);
});

function commit(folder: string, file: string): void {
  writeFileSync(join(folder, file), file);
  git(folder, "add", file);
  git(folder, "commit", "--quiet", "-m", file);
}

function git(folder: string, ...args: string[]): string {
  const who = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
  return execFileSync("git", [...who, ...args], { cwd: folder, encoding: "utf8", stdio: "pipe" }).trim();
}
