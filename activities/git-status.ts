import type { Git } from "./git-client.js";
import { currentBranch } from "./git-refs.js";

export type FileStatus = "added" | "modified" | "deleted" | "renamed" | "copied" | "untracked" | "conflicted";

export interface TreeStatus {
  branch: string | null;
  clean: boolean;
  /** In git's order; untracked files one by one, ignored ones not. */
  files: { path: string; status: FileStatus }[];
}

/** What has changed in the tree since the commit that is checked out. */
export async function readStatus(git: Git): Promise<TreeStatus> {
  const listed = await git.run(["--no-optional-locks", "status", "--porcelain=v1", "-z", "--untracked-files=all"]);
  const entries = listed.split("\0").filter((entry) => entry !== "");
  const files: TreeStatus["files"] = [];
  for (let i = 0; i < entries.length; i++) {
    const code = entries[i]!.slice(0, 2);
    files.push({ path: entries[i]!.slice(3), status: statusOf(code) });
    if (/[RC]/.test(code)) i++; // where it came from
  }
  return { branch: await currentBranch(git), clean: files.length === 0, files };
}

function statusOf(code: string): FileStatus {
  if (code === "??") return "untracked";
  if (/U|AA|DD/.test(code)) return "conflicted";
  if (code.includes("R")) return "renamed";
  if (code.includes("C")) return "copied";
  if (code.includes("D")) return "deleted";
  return code.includes("A") ? "added" : "modified";
}
