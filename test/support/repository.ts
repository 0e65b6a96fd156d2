import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A git repository `project` in the folder, with one commit on `main`, pushed to a bare remote `origin`. */
export async function makeRepository(folder: string): Promise<string> {
  const project = join(folder, "project");
  const remote = join(folder, "origin.git");
  mkdirSync(project);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Test", "-c", "user.email=test@localhost", ...args], { cwd: project, stdio: "pipe" });
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", remote]);
  git("init", "--quiet", "--initial-branch=main");
  writeFileSync(join(project, "README.md"), "# Sample\n");
  writeFileSync(join(project, ".gitignore"), "node_modules/\n");
  git("add", ".");
  git("commit", "--quiet", "-m", "Begin");
  git("remote", "add", "origin", remote);
  git("push", "--quiet", "-u", "origin", "main");
  return project;
}
