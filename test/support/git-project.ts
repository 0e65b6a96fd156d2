import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { RunRef } from "../../contract/activity.js";
import type { WorkspaceMode } from "../../contract/run-spec.js";

/** A real repository with one commit on main, a bare remote it has been pushed to, and a root for trees. */
export class GitProject {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "longhaul-git-")));
  readonly path = join(this.folder, "project");
  readonly remote = join(this.folder, "remote.git");
  readonly root = join(this.folder, "worktrees");

  constructor() {
    git(this.folder, "init", "--quiet", "--bare", "--initial-branch=main", this.remote);
    git(this.folder, "init", "--quiet", "--initial-branch=main", this.path);
    this.git("config", "user.name", "Ada");
    this.git("config", "user.email", "ada@example.com");
    this.write("README.md", "# A project\n");
    this.write(".gitignore", "*.log\n");
    this.git("add", "--all");
    this.git("commit", "--quiet", "--message=Begin");
    this.git("remote", "add", "origin", this.remote);
    this.git("push", "--quiet", "origin", "main");
  }

  git(...args: string[]): string {
    return git(this.path, ...args);
  }

  write(path: string, content: string): void {
    writeFile(join(this.path, path), content);
  }

  run(id = "run_1", mode: WorkspaceMode = "worktree", base_branch: string | null = null): RunRef {
    const path = mode === "in_place" ? this.path : join(this.root, "prj_1", id);
    return { run_id: id, project_id: "prj_1", project_path: this.path, workspace: { mode, path, base_branch } };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function git(folder: string, ...args: string[]): string {
  return execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd();
}

export function writeFile(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
