import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { testFolder } from "../../test/support/stack.js";
import { changedFiles, treeState } from "./tree-state.js";

describe("the state of a tree", () => {
  test("tells what was made, changed and removed, ignored files aside", async () => {
    const before = await treeState(tree);
    put("new/file.txt", "x");
    put("kept.txt", "other");
    put("ignored.log", "x");
    rmSync(join(tree, "gone.txt"));

    expect(changedFiles(before, await treeState(tree))).toEqual(["gone.txt", "kept.txt", "new/file.txt"]);
  });

  test("tells a change of what was changed already", async () => {
    put("kept.txt", "dirty");
    const before = await treeState(tree);
    put("kept.txt", "dirtier");

    expect(changedFiles(before, await treeState(tree))).toEqual(["kept.txt"]);
  });

  test("names the commit, so that one made in between is seen", async () => {
    const before = await treeState(tree);
    git("commit", "--allow-empty", "-qm", "more");

    expect((await treeState(tree)).head).not.toBe(before.head);
  });

  test("runs nothing that the repository has configured", async () => {
    const trap = join(tree, "..", "sprung");
    git("config", "core.fsmonitor", `touch ${trap}; false`);
    git("config", "filter.trap.clean", `touch ${trap}; cat`);
    put(".gitattributes", "* filter=trap\n");
    await treeState(tree);

    expect(existsSync(trap)).toBe(false);
  });

  test("does without git", async () => {
    rmSync(join(tree, ".git"), { recursive: true });
    const before = await treeState(tree);
    put("new.txt", "x");
    put("node_modules/x.js", "x");

    expect(before.head).toBeNull();
    expect(changedFiles(before, await treeState(tree))).toEqual(["new.txt"]);
  });
});

let tree: string;
beforeEach(() => {
  tree = join(testFolder(), "tree");
  mkdirSync(tree);
  git("init", "-q", "-b", "main");
  put("kept.txt", "kept");
  put("gone.txt", "gone");
  put(".gitignore", "*.log\n");
  git("add", ".");
  git("commit", "-qm", "first");
});

function put(path: string, content: string): void {
  mkdirSync(join(tree, path, ".."), { recursive: true });
  writeFileSync(join(tree, path), content);
}

function git(...args: string[]): void {
  execFileSync("git", ["-C", tree, "-c", "user.name=a", "-c", "user.email=a@example.com", ...args]);
}
