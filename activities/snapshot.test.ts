import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GitProject, git } from "../test/support/git-project.js";
import { openGit } from "./git-client.js";
import { newestSnapshot, putTree, snapshotTree } from "./snapshot.js";

let project: GitProject;

beforeEach(() => {
  project = new GitProject();
});
afterEach(() => project.remove());

describe("snapshotTree", () => {
  test("keeps the whole tree under the run's ref and leaves HEAD, branch and index alone", async () => {
    project.write("staged.txt", "staged");
    project.git("add", "staged.txt");
    project.write("src/untracked.txt", "untracked");
    project.write("ignored.log", "ignored");
    project.write(".agent/workflows/executions/run_1/events.jsonl", "{}");
    rmSync(join(project.path, "README.md"));
    const before = [project.git("status", "--porcelain"), project.git("rev-parse", "HEAD"), project.git("branch")];

    const tree = await snapshotTree(await openGit(project.path), "run_1", 7);

    expect(tree).toEqual({
      commit: project.git("rev-parse", "refs/longhaul/run_1/7"),
      tree: project.git("rev-parse", "refs/longhaul/run_1/7^{tree}"),
      shared: false,
    });
    const files = project.git("ls-tree", "-r", "--name-only", tree!.commit).split("\n");
    expect(files).toEqual([".gitignore", "src/untracked.txt", "staged.txt"]);
    expect([project.git("status", "--porcelain"), project.git("rev-parse", "HEAD"), project.git("branch")]).toEqual(before);
    expect(project.git("rev-parse", `${tree!.commit}^`)).toBe(before[1]);
  });

  test("replaces the earlier one of the same step, and leaves no file behind", async () => {
    const client = await openGit(project.path);
    const first = await snapshotTree(client, "run_1", 1);
    project.write("new.txt", "new");
    const second = await snapshotTree(client, "run_1", 1);
    expect(second!.tree).not.toBe(first!.tree);
    expect(project.git("for-each-ref", "--format=%(objectname)", "refs/longhaul")).toBe(second!.commit);
    expect(execFileSync("ls", [join(project.path, ".git")], { encoding: "utf8" })).not.toContain("longhaul-");
  });

  test("sees a change made in the same moment as the index was written", async () => {
    const client = await openGit(project.path);
    project.write("a.txt", "one");
    project.git("add", "a.txt");
    project.write("a.txt", "two");
    const { commit } = (await snapshotTree(client, "run_1", 1))!;
    expect(project.git("show", `${commit}:a.txt`)).toBe("two");
  });

  test("is the same commit again while the tree has no changes, and another one as soon as anything is different", async () => {
    const client = await openGit(project.path);
    const first = await snapshotTree(client, "run_1", 1);
    expect(await snapshotTree(client, "run_1", 2)).toEqual(first);
    expect(project.git("rev-parse", "refs/longhaul/run_1/2")).toBe(first!.commit);

    project.git("switch", "--quiet", "--create", "other");
    const onBranch = await snapshotTree(client, "run_1", 3);
    expect(onBranch).toMatchObject({ tree: first!.tree });
    expect(onBranch!.commit).not.toBe(first!.commit);
    expect(await newestSnapshot(client, "run_1")).toMatchObject({ branch: "other" });

    project.write("new.txt", "new");
    expect((await snapshotTree(client, "run_1", 4))!.tree).not.toBe(first!.tree);
    rmSync(join(project.path, "new.txt"));
    expect(await snapshotTree(client, "run_1", 5)).toEqual(onBranch);
    project.git("commit", "--quiet", "--allow-empty", "--message=Next");
    expect(await newestSnapshot(client, "run_1")).toMatchObject({ parent: project.git("rev-parse", "HEAD^") });
    await snapshotTree(client, "run_1", 6);
    expect(await newestSnapshot(client, "run_1")).toMatchObject({ parent: project.git("rev-parse", "HEAD") });
  });

  test("takes turns", async () => {
    const client = await openGit(project.path);
    const taken = await Promise.all([1, 2, 3, 4].map((number) => snapshotTree(client, "run_1", number)));
    expect(new Set(taken.map((tree) => tree?.tree)).size).toBe(1);
    expect(await newestSnapshot(client, "run_1")).toMatchObject({ branch: "main", parent: project.git("rev-parse", "HEAD") });
    expect(await newestSnapshot(client, "run_2")).toBeNull();
  });

  test("leaves out what git cannot hold, and keeps the rest", async () => {
    git(project.folder, "init", "--quiet", join(project.path, "inner"));
    project.write("inner/file.txt", "x");
    project.write("other.txt", "y");
    const { commit } = (await snapshotTree(await openGit(project.path), "run_1", 1))!;
    expect(project.git("show", `${commit}:other.txt`)).toBe("y");
  });

  test("is nothing in a folder without git, and works before the first commit", async () => {
    expect(await snapshotTree(await openGit(project.folder), "run_1", 1)).toBeUndefined();
    const empty = join(project.folder, "empty");
    git(project.folder, "init", "--quiet", empty);
    writeFileSync(join(empty, "a.txt"), "a");
    expect(await snapshotTree(await openGit(empty), "run_1", 1)).toMatchObject({ shared: false });
  });

  test("costs little more in a tree of 200 files than in one of two", async () => {
    const client = await openGit(project.path);
    const median = async (from: number) => {
      const took: number[] = [];
      for (let i = from; i < from + 5; i++) {
        project.write("src/1.ts", `changed ${i}`);
        const begun = performance.now();
        await snapshotTree(client, "run_1", i);
        took.push(performance.now() - begun);
      }
      return took.toSorted((a, b) => a - b)[2] ?? 0;
    };
    const few = await median(1);
    for (let i = 0; i < 200; i++) project.write(`src/${i}.ts`, `export const n = ${i};\n`.repeat(40));
    project.git("add", "--all");
    project.git("commit", "--quiet", "--message=Many");
    await snapshotTree(client, "run_1", 6);

    expect(await median(7)).toBeLessThan(5 * few);
  });
});

describe("putTree", () => {
  test("makes the tree what a snapshot holds", async () => {
    const client = await openGit(project.path);
    project.write("README.md", "then");
    project.write("then.txt", "then");
    const { commit } = (await snapshotTree(client, "run_1", 1))!;
    project.write("README.md", "now");
    rmSync(join(project.path, "then.txt"));
    project.write("now.txt", "now");
    project.write("kept.log", "ignored files stay");

    await putTree(client, commit);

    expect(git(project.path, "status", "--porcelain")).toBe(" M README.md\n?? then.txt");
    expect(readFileSync(join(project.path, "README.md"), "utf8")).toBe("then");
    expect(existsSync(join(project.path, "now.txt"))).toBe(false);
    expect(existsSync(join(project.path, "kept.log"))).toBe(true);
  });
});
