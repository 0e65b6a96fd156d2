import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GitProject } from "../../test/support/git-project.js";
import { type Git, openGit } from "../git-client.js";
import { putBack } from "./put-back.js";
import { treeState } from "./tree-state.js";
import { keepTree } from "./turn-start.js";

const REF = "refs/longhaul/run_1/plan-1-s1";

describe("a tree that is put back", { timeout: 30_000 }, () => {
  test("has its files as they were, tracked and untracked, and keeps what was written", async () => {
    project.write("README.md", "changed before\n");
    project.write("notes/mine.txt", "mine\n");
    project.write("mine.log", "ignored\n");
    const tree = contents();

    expect(
      await afterTurn(() => {
        project.write("README.md", "by the agent\n");
        project.write("made/new.txt", "new\n");
        project.write("mine.log", "ignored, by the agent\n");
        rmSync(join(project.path, "notes"), { recursive: true });
      }),
    ).toBe(true);

    expect(contents()).toEqual(tree);
    expect(read("mine.log")).toBe("ignored, by the agent\n");
    expect(kept("README.md")).toBe("by the agent");
    expect(kept("made/new.txt")).toBe("new");
  });

  test("is on its branch again, without the commits of the turn, which are kept", async () => {
    const before = project.git("rev-parse", "HEAD");
    project.write("mine.txt", "mine\n");

    await afterTurn(() => {
      project.git("commit", "--quiet", "--allow-empty", "-m", "on main");
      project.git("checkout", "--quiet", "-b", "elsewhere");
      project.git("add", "--all");
      project.git("commit", "--quiet", "-m", "elsewhere");
    });

    expect(project.git("symbolic-ref", "HEAD")).toBe("refs/heads/main");
    expect(project.git("rev-parse", "HEAD")).toBe(before);
    expect(project.git("status", "--porcelain")).toBe("?? mine.txt");
    expect(project.git("log", "--format=%s", `${before}..${REF}`).split("\n").slice(1)).toEqual(["elsewhere", "on main"]);
  });

  test("has a commit checked out again where that was so", async () => {
    project.git("checkout", "--quiet", "--detach");
    const before = project.git("rev-parse", "HEAD");

    await afterTurn(() => project.git("checkout", "--quiet", "-b", "elsewhere"));

    expect(project.git("rev-parse", "--abbrev-ref", "HEAD")).toBe("HEAD");
    expect(project.git("rev-parse", "HEAD")).toBe(before);
  });

  test("loses nothing that a new rule of the agent's makes git ignore", async () => {
    project.write("mine.txt", "mine\n");
    const tree = contents();

    expect(
      await afterTurn(() => {
        project.write(".gitignore", "*.txt\n");
        project.write("mine.txt", "by the agent\n");
        project.write("hidden.txt", "hidden\n");
      }),
    ).toBe(true);

    expect(contents()).toEqual(tree);
    expect(kept("hidden.txt")).toBe("hidden");
    expect(project.git("show", `${REF}^2:mine.txt`)).toBe("by the agent");
  });

  test("may have no commit yet", async () => {
    execFileSync("git", ["-C", project.path, "update-ref", "-d", "HEAD"]);
    const tree = contents();

    await afterTurn(() => project.git("commit", "--quiet", "-m", "first"));

    expect(contents()).toEqual(tree);
    expect(() => project.git("rev-parse", "--verify", "--quiet", "HEAD")).toThrow();
  });

  test("is not reached through a link that stands where a folder was", async () => {
    project.write("notes/mine.txt", "mine\n");
    const outside = join(project.folder, "outside");
    execFileSync("mkdir", [outside]);

    await afterTurn(() => {
      execFileSync("mv", [join(project.path, "notes/mine.txt"), outside]);
      execFileSync("sh", ["-c", "rmdir notes && ln -s ../outside notes"], { cwd: project.path });
    });

    expect(read("notes/mine.txt")).toBe("mine\n");
    expect(existsSync(join(outside, "mine.txt"))).toBe(true);
  });
});

let project: GitProject;
let git: Git;
beforeEach(async () => {
  project = new GitProject();
  git = await openGit(project.path);
});
afterEach(() => project.remove());

/** The tree is kept, the turn changes it, and it is put back. */
async function afterTurn(turn: () => void): Promise<boolean> {
  const state = await treeState(project.path);
  const before = await keepTree(git, "refs/longhaul/run_1/before-1-s1", { message: "Before" });
  turn();
  const after = await treeState(project.path);
  const unlisted = [...state.files.keys()].filter((path) => !after.files.has(path));
  return putBack(git, before!, { ref: REF, message: "What the turn wrote", unlisted });
}

/** Every file that git does not ignore, with what is in it. */
function contents(): Record<string, string> {
  const listed = project.git("ls-files", "--cached", "--others", "--exclude-standard").split("\n");
  return Object.fromEntries(listed.filter((path) => path !== "").map((path) => [path, read(path)]));
}

function kept(path: string): string {
  return project.git("show", `${REF}:${path}`);
}

function read(path: string): string {
  return readFileSync(join(project.path, path), "utf8");
}
