import { execFileSync } from "node:child_process";

/** What git says in a folder, without the last line end; undefined when it refuses, or there is no git. */
export function git(folder: string, ...args: string[]): string | undefined {
  try {
    return execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trimEnd();
  } catch {
    return undefined;
  }
}
