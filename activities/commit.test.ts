import { spawn } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GitProject, git } from "../test/support/git-project.js";
import { ensureBranch } from "./branch.js";
import { commit, stageAll } from "./commit.js";
import { type Git, openGit } from "./git-client.js";
import { readStatus } from "./git-status.js";
import { push } from "./push.js";
import { openWorkspace } from "./workspace.js";

let project: GitProject;
let client: Git;
const mark = { step: "run_1/3" };

beforeEach(async () => {
  project = new GitProject();
  client = await openGit(project.path);
});
afterEach(() => project.remove());

describe("commit", () => {
  test("commits all that changed, with the step's mark, and finds the commit when done again", async () => {
    project.write("a.txt", "a");
    rmSync(join(project.path, "README.md"));
    const first = await commit(client, { message: "Add a" }, mark);
    expect(first).toEqual({ sha: project.git("rev-parse", "HEAD"), created: true });
    expect(project.git("log", "-1", "--format=%B")).toBe("Add a\n\nLonghaul-Step: run_1/3");
    expect(project.git("status", "--porcelain")).toBe("");

    project.git("commit", "--quiet", "--allow-empty", "--message=Something after it");
    project.write("b.txt", "b");
    expect(await commit(client, { message: "Add a" }, mark)).toEqual({ sha: first.sha, created: false });
    expect(await commit(client, { message: "Add b" }, { step: "run_1/33" })).toMatchObject({ created: true });
  });

  test("takes the message as it is", async () => {
    project.write("a.txt", "a");
    const message = "--amend\n\n# no comment\n`$(touch /tmp/x)` ü\n\nCo-authored-by: Grace <grace@example.com>";
    await commit(client, { message }, mark);
    expect(project.git("log", "-1", "--format=%B")).toBe(`${message}\nLonghaul-Step: run_1/3`);
    expect(project.git("rev-list", "--count", "HEAD")).toBe("2");
    for (const bad of ["", " \n", "a\0b", "a\u{10fffe}b", "a\ufdd0", "\ud800"]) {
      await expect(commit(client, { message: bad }, mark)).rejects.toMatchObject({ type: "invalid_input" });
    }
  });

  test("commits only the files it is given, by their exact names", async () => {
    project.write("a.txt", "a");
    project.write("*.txt", "star");
    project.write("-x", "dash");
    project.git("add", "a.txt");
    rmSync(join(project.path, "README.md"));
    await commit(client, { message: "Some", files: ["*.txt", "-x", "README.md"] }, mark);
    expect(project.git("show", "--name-status", "--format=", "HEAD").split("\n")).toEqual(["A\t*.txt", "A\t-x", "D\tREADME.md"]);
    expect(project.git("status", "--porcelain")).toBe("A  a.txt");
    await expect(commit(client, { message: "x", files: ["../outside"] }, { step: "run_1/4" })).rejects.toMatchObject({
      type: "git_failed",
    });
    await expect(commit(client, { message: "x", files: ["nothing"] }, { step: "run_1/4" })).rejects.toThrow(
      /did not match any file/,
    );
  });

  test("answers with HEAD when there is nothing to commit, unless an empty commit is wanted", async () => {
    const head = project.git("rev-parse", "HEAD");
    expect(await commit(client, { message: "x" }, mark)).toEqual({ sha: head, created: false });
    expect(await commit(client, { message: "x", allowEmpty: true }, mark)).toMatchObject({ created: true });
    expect(await commit(client, { message: "x", allowEmpty: true }, mark)).toMatchObject({ created: false });
  });

  test("lets a step that does several things commit several times", async () => {
    const several = { ...mark, several: true };
    project.write("a.txt", "a");
    const first = await commit(client, { message: "One" }, several);
    project.write("b.txt", "b");
    const second = await commit(client, { message: "Two" }, several);
    expect(second.sha).not.toBe(first.sha);
    // The step is done again from its beginning.
    expect(await commit(client, { message: "One" }, several)).toEqual({ sha: first.sha, created: false });
    expect(await commit(client, { message: "Two" }, several)).toEqual({ sha: second.sha, created: false });
  });

  test("never commits the records of runs", async () => {
    project.write(".agent/workflows/executions/run_1/args.json", "{}");
    project.write("a.txt", "a");
    await commit(client, { message: "Add" }, mark);
    expect(project.git("ls-files", ".agent")).toBe("");
  });

  test("makes a repository's first commit", async () => {
    const empty = join(project.folder, "empty");
    git(project.folder, "init", "--quiet", "--initial-branch=main", empty);
    const first = await openGit(empty);
    await expect(commit(first, { message: "x" }, mark)).rejects.toMatchObject({ type: "nothing_to_commit" });
    expect(await ensureBranch(first, { name: "feature" })).toEqual({ branch: "feature", created: true });
    writeFileSync(join(empty, "a.txt"), "a");
    expect(await commit(first, { message: "x" }, mark)).toMatchObject({ created: true });
  });
});

describe("an index lock", () => {
  const lock = () => join(project.path, ".git/index.lock");

  test("that a dead git has left is taken away", async () => {
    project.write("a.txt", "a");
    writeFileSync(lock(), "");
    expect(await commit(client, { message: "Add" }, mark, { abandonedMs: 200 })).toMatchObject({ created: true });
    expect(existsSync(lock())).toBe(false);

    writeFileSync(lock(), "");
    expect(await ensureBranch(client, { name: "feature" }, { abandonedMs: 200 })).toMatchObject({ created: true });
    expect(existsSync(lock())).toBe(false);
  });

  test("that somebody holds is waited for, then named", async () => {
    const holder = spawn("bash", ["-c", `exec 9>'${lock()}'; sleep 60`], { stdio: "ignore" });
    try {
      while (!existsSync(lock())) await new Promise((resolve) => setTimeout(resolve, 20));
      await expect(stageAll(client, { abandonedMs: 100, heldMs: 600 })).rejects.toMatchObject({
        type: "git_locked",
        message: expect.stringContaining(lock()),
      });
      expect(existsSync(lock())).toBe(true);
      setTimeout(() => rmSync(lock()), 300);
      project.write("a.txt", "a");
      expect(await stageAll(client, { abandonedMs: 100, heldMs: 30_000 })).toEqual({ files: ["a.txt"] });
    } finally {
      holder.kill("SIGKILL");
    }
  });
});

describe("ensureBranch", () => {
  test("makes a branch, finds it, and switches between branches with the changes", async () => {
    project.write("README.md", "changed");
    expect(await ensureBranch(client, { name: "feature/x" })).toEqual({ branch: "feature/x", created: true });
    expect(await ensureBranch(client, { name: "feature/x" })).toEqual({ branch: "feature/x", created: false });
    expect(await ensureBranch(client, { name: "main" })).toEqual({ branch: "main", created: false });
    expect(await readStatus(client)).toEqual({
      branch: "main",
      clean: false,
      files: [{ path: "README.md", status: "modified" }],
    });
  });

  test("names the place when a branch is checked out elsewhere", async () => {
    const run = project.run();
    await openWorkspace(run, { root: project.root });
    await expect(ensureBranch(await openGit(run.workspace.path), { name: "main" })).rejects.toMatchObject({
      type: "branch_checked_out",
      message: expect.stringContaining(project.path),
    });
  });

  test("takes up a branch that the remote has", async () => {
    project.git("push", "--quiet", "origin", "main:theirs");
    project.git("commit", "--quiet", "--allow-empty", "--message=Later");
    await ensureBranch(client, { name: "theirs" });
    expect(project.git("rev-parse", "theirs")).toBe(git(project.remote, "rev-parse", "theirs"));
  });
});

describe("push", () => {
  test("pushes the branch once, and says what is there", async () => {
    await ensureBranch(client, { name: "feature" });
    project.write("a.txt", "a");
    const { sha } = await commit(client, { message: "Add" }, mark);
    expect(await push(client, {})).toEqual({ remote: "origin", branch: "feature", sha });
    expect(await push(client, { remote: "origin", branch: "feature" })).toEqual({ remote: "origin", branch: "feature", sha });
    expect(git(project.remote, "rev-parse", "feature")).toBe(sha);
  });

  test("never overwrites what others have pushed", async () => {
    await ensureBranch(client, { name: "feature" });
    project.git("commit", "--quiet", "--allow-empty", "--message=Theirs");
    await push(client, {});
    const theirs = git(project.remote, "rev-parse", "feature");
    project.git("reset", "--quiet", "--hard", "HEAD~1");
    project.git("commit", "--quiet", "--allow-empty", "--message=Ours");
    await expect(push(client, {})).rejects.toMatchObject({ type: "push_rejected" });
    expect(git(project.remote, "rev-parse", "feature")).toBe(theirs);
  });

  test.each([
    [{ remote: "nowhere" }, "no_remote"],
    [{ remote: "--upload-pack=x" }, "no_remote"],
    [{ remote: "https://example.com/x" }, "no_remote"],
    [{ branch: "--force" }, "invalid_ref"],
    [{ branch: "none" }, "invalid_ref"],
  ])("refuses %j", async (input, type) => {
    await expect(push(client, input)).rejects.toMatchObject({ type });
  });

  test("refuses a remote that is no place for git, and a tree without a branch", async () => {
    project.git("remote", "set-url", "origin", "ext::sh -c touch% /tmp/pwned");
    await expect(push(client, {})).rejects.toMatchObject({ type: "invalid_remote" });
    project.git("switch", "--quiet", "--detach");
    await expect(push(client, {})).rejects.toMatchObject({ type: "no_branch" });
  });
});

test("readStatus names what happened to each file", async () => {
  project.write("gone.txt", "gone");
  project.write("moved.txt", "a text that is long enough to be known again\n".repeat(5));
  project.git("add", "--all");
  project.git("commit", "--quiet", "--message=More");
  project.write("README.md", "changed");
  rmSync(join(project.path, "gone.txt"));
  project.git("mv", "moved.txt", "at a new place.txt");
  project.write("new/ä file.txt", "new");
  project.write("x.log", "ignored");
  expect((await readStatus(client)).files).toEqual([
    { path: "README.md", status: "modified" },
    { path: "at a new place.txt", status: "renamed" },
    { path: "gone.txt", status: "deleted" },
    { path: "new/ä file.txt", status: "untracked" },
  ]);
});
