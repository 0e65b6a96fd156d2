import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { builtFile, packageRoot } from "../../package-root.js";
import { INTERPRETER_EDITS } from "../deploys/interpreter-edits.js";

/**
 * The Longhaul that recorded the runs of `test/histories`, built from its sources in a folder that is not there yet.
 *
 * @throws where its commit is not at hand, in a shallow clone for example.
 */
export function recordedBuild(folder: string): string {
  const commit = git("log", "-1", "--format=%H", "--", "test/histories/recorded").trim();
  if (commit === "") throw new Error("The commit that recorded the runs of test/histories is not at hand.");
  mkdirSync(folder);
  const archive = join(folder, "sources.tar");
  git("archive", "--output", archive, commit);
  execFileSync("tar", ["-xf", archive, "-C", folder]);
  symlinkSync(join(packageRoot, "node_modules"), join(folder, "node_modules"));
  execFileSync(process.execPath, ["build.mjs"], { cwd: folder, stdio: "pipe" });
  return folder;
}

/** This Longhaul with other texts in its workflow code, as one that was before it and goes the same way. */
export function editedBuild(folder: string): string {
  mkdirSync(folder);
  const apart = new Set(["dist", ".git"]);
  for (const name of readdirSync(packageRoot)) if (!apart.has(name)) symlinkSync(join(packageRoot, name), join(folder, name));
  cpSync(builtFile(""), join(folder, "dist"), { recursive: true });
  const code = readFileSync(builtFile("workflow-host.cjs"), "utf8");
  // A log line more is a fact more: events would be numbered otherwise by this build, which a rebuild shows.
  const edits = INTERPRETER_EDITS.filter(({ breaks, name }) => breaks === "none" && name !== "a new log line");
  writeFileSync(
    join(folder, "dist/workflow-host.cjs"),
    edits.reduce((text, { apply }) => apply(text), code),
  );
  return folder;
}

function git(...args: string[]): string {
  return execFileSync("git", ["-C", packageRoot, ...args], { encoding: "utf8" });
}
