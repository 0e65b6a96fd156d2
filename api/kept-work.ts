import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { git, isRepository, readGit } from "./git.js";

/** Where what no branch has stays, when a run's tree or its checkpoints go. Deleting the run deletes it. */
export function keptRefs(runId: string): string {
  return `refs/longhaul-kept/${runId}/`;
}

/** The run's own records are no part of its tree. */
const NOT_THE_TREE = ":(exclude,top).agent/workflows/executions";

/** Milliseconds in which a whole tree is written. */
const ADD_PATIENCE = 120_000;

interface Place {
  /** The project's repository. */
  project: string;
  /** The run's tree. */
  tree: string;
  runId: string;
}

/**
 * Keep what a run's tree has and no branch, remote or tag of the project does: commits, and what was not committed,
 * untracked files included, ignored ones not. Nothing of the repository runs meanwhile.
 *
 * @returns the refs that hold it, none when there was nothing.
 * @throws {Error} when it could not be kept: the tree must stay.
 */
export async function keepTreeWork({ project, tree, runId }: Place): Promise<string[]> {
  if (!(await isRepository(project)) || !(await isRepository(tree))) return [];
  const refs = await keepBranches({ project, tree, runId });
  const left = await wholeTree(tree);
  const head = await git(tree, "rev-parse", "--verify", "--quiet", "HEAD^{commit}");
  const known = head && (await git(tree, "rev-parse", `${head}^{tree}`));
  if (left === known) return refs;

  const parent = head === null ? [] : ["-p", head];
  const who = ["-c", "user.name=Longhaul", "-c", "user.email=longhaul@localhost", "-c", "commit.gpgSign=false"];
  const commit = await git(tree, ...who, "commit-tree", ...parent, "-m", `What ${runId} left and did not commit`, left);
  const ref = `${keptRefs(runId)}tree`;
  if (commit === null || !(await bring({ project, tree, from: commit, ref }))) throw cannot(tree);
  return [...refs, ref];
}

/**
 * Keep what a run's newest snapshot holds and nothing else does, where its tree is gone already.
 *
 * @returns the ref that holds it, none when there was nothing.
 * @throws {Error} when it could not be kept.
 */
export async function keepSnapshotWork({ project, tree, runId }: Place): Promise<string[]> {
  if (!(await isRepository(project)) || (await isRepository(tree))) return [];
  if (await git(project, "for-each-ref", "--count=1", "--format=%(refname)", keptRefs(runId))) return [];
  const prefix = `refs/longhaul/${runId}/`;
  const listed = (await git(project, "for-each-ref", "--format=%(refname)", prefix)) ?? "";
  const numbers = listed.split("\n").map((name) => Number(name.slice(prefix.length) || Number.NaN));
  const newest = Math.max(...numbers.filter(Number.isInteger));
  if (!Number.isFinite(newest)) return [];
  const told = await git(
    project,
    "log",
    "-1",
    "--no-show-signature",
    "--format=%H %T %P",
    "--end-of-options",
    `${prefix}${newest}`,
  );
  const [commit = "", kept, parent] = (told ?? "").split(" ");
  const below = parent && (await git(project, "rev-parse", `${parent}^{tree}`));
  if (commit === "" || (below === kept && (await isReachable(project, parent ?? "")))) return [];
  const ref = `${keptRefs(runId)}tree`;
  if ((await git(project, "update-ref", ref, commit)) === null) throw cannot(project);
  return [ref];
}

/** The commit that is checked out, and a clone's own branches. */
async function keepBranches({ project, tree, runId }: Place): Promise<string[]> {
  const isClone = (await git(tree, "rev-parse", "--git-common-dir")) === ".git";
  const branches = isClone ? await git(tree, "for-each-ref", "--format=%(refname)", "refs/heads/") : "";
  const refs: string[] = [];
  for (const name of ["HEAD", ...(branches ?? "").split("\n").filter(Boolean)]) {
    const commit = await git(tree, "rev-parse", "--verify", "--quiet", `${name}^{commit}`);
    if (commit === null || (await isReachable(project, commit))) continue;
    const ref = `${keptRefs(runId)}${name === "HEAD" ? "head" : name.replace("refs/", "")}`;
    if (!(await bring({ project, tree, from: name, ref }))) throw cannot(tree);
    refs.push(ref);
  }
  return refs;
}

/** Whether a branch, a remote's branch or a tag of the project has a commit. */
async function isReachable(project: string, commit: string): Promise<boolean> {
  const where = ["refs/heads/", "refs/remotes/", "refs/tags/"];
  return Boolean(await git(project, "for-each-ref", "--count=1", "--format=%(refname)", "--contains", commit, ...where));
}

/** A worktree has its objects in the project; a clone gives them. */
async function bring({
  project,
  tree,
  from,
  ref,
}: {
  project: string;
  tree: string;
  from: string;
  ref: string;
}): Promise<boolean> {
  const commit = await git(tree, "rev-parse", "--verify", "--quiet", `${from}^{commit}`);
  if (commit === null) return false;
  if ((await git(project, "cat-file", "-e", `${commit}^{commit}`)) === null) {
    const quiet = ["-c", "core.alternateRefsCommand=true", "-c", "gc.auto=0", "-c", "maintenance.auto=false"];
    const temporary = `${ref}-${randomBytes(4).toString("hex")}`;
    if ((await git(tree, "update-ref", temporary, commit)) === null) return false; // what is fetched has a name there
    const fetched = await git(project, ...quiet, "fetch", "--quiet", "--no-tags", "--", tree, `+${temporary}:${ref}`);
    return fetched !== null;
  }
  return (await git(project, "update-ref", ref, commit)) !== null;
}

/** The tree as it is, written into its repository. */
async function wholeTree(tree: string): Promise<string> {
  const index = join(tmpdir(), `longhaul-index-${randomBytes(8).toString("hex")}`);
  const env = { ...(await withoutFilters(tree)), GIT_INDEX_FILE: index };
  try {
    await readGit(tree, ["read-tree", "HEAD"], { env });
    const added = await readGit(tree, ["add", "--all", "--", ":/", NOT_THE_TREE], { env, patience: ADD_PATIENCE });
    const written = added && (await readGit(tree, ["write-tree"], { env })); // half of a tree is none
    if (written === null) throw cannot(tree);
    return written.text.trim();
  } finally {
    await rm(index, { force: true });
    await rm(`${index}.lock`, { force: true });
  }
}

/** Settings by which no filter of any configuration runs. */
async function withoutFilters(tree: string): Promise<Record<string, string>> {
  const read = await readGit(tree, ["config", "--includes", "--list", "--name-only", "-z"]);
  if (read === null) throw cannot(tree);
  const names = [...new Set(read.text.split("\0"))].filter((name) => /^filter\..*\.(clean|smudge|process|required)$/i.test(name));
  const pairs = names.flatMap((name, i) => [
    [`GIT_CONFIG_KEY_${i}`, name],
    [`GIT_CONFIG_VALUE_${i}`, /\.required$/i.test(name) ? "false" : ""],
  ]);
  return { GIT_CONFIG_COUNT: String(names.length), ...Object.fromEntries(pairs) };
}

function cannot(where: string): Error {
  return new Error(`What ${where} holds and no branch has could not be kept: see what \`git status\` says there.`);
}
