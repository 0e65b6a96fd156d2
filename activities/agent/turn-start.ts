import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import type { Call } from "../../contract/activity.js";
import { type Git, openGit } from "../git-client.js";
import { withWholeTree } from "../snapshot.js";
import type { AgentInput } from "./index.js";
import { type TreeState, treeState } from "./tree-state.js";

/** A whole tree that a ref keeps. */
const KeptTree = z.object({ commit: z.string(), tree: z.string(), head: z.string().nullable(), branch: z.string().nullable() });
export type KeptTree = z.infer<typeof KeptTree>;

const Start = z.object({
  lineage: z.string(),
  head: z.string().nullable(),
  files: z.array(z.tuple([z.string(), z.string()])),
  kept: KeptTree.nullable(),
  others: z.string().nullable(),
});

/** The run's tree as it was when a turn began. */
export interface TurnStart {
  state: TreeState;
  /** Null when it was not asked for, and in a folder without git. */
  kept: KeptTree | null;
  /** Stands for what the run's steps had left by then (`stepsLeft`); null where nothing was kept. */
  others: string | null;
}

export interface TurnQuestion {
  /** Names it among the run's turns: `3-s7`. */
  turn: string;
  /** The same for every try of one attempt, also after its worker died. */
  lineage: string;
}

/**
 * Look at the tree before a turn, and write down how it was: whoever goes on after a lost worker compares with what there was
 * before the agent began, not with what it had done by then. The whole tree is kept when it may have to be put back, or compared.
 *
 * @param file where it is written down.
 */
export async function beginTurn(
  { run, input }: Call<AgentInput>,
  file: string,
  { turn, lineage }: TurnQuestion,
): Promise<TurnStart> {
  const known = await readStart(file);
  if (known?.lineage === lineage) {
    const { head, files, kept, others } = known;
    return { state: { head, files: new Map(files) }, kept, others };
  }
  const { path } = run.workspace;
  const state = await treeState(path);
  const isNeeded = input.permission === "plan" || (input.verify ?? []).some((check) => "tree_changed" in check);
  const git = isNeeded ? await openGit(path) : null;
  const message = `Before ${turn} of ${run.run_id}`;
  const kept = git && (await keepTree(git, turnRef("before", run.run_id, turn), { message }));
  const others = git && kept && (await stepsLeft(git, run.run_id));
  await writeStart(file, { lineage, head: state.head, files: [...state.files], kept, others });
  return { state, kept, others };
}

/** A hash of the trees that steps of the run have left: another one when a step has ended that may write. */
export async function stepsLeft(git: Git, runId: string): Promise<string> {
  const listed = await git.run(["for-each-ref", "--format=%(refname) %(objectname)", `refs/longhaul/${runId}/`]);
  const steps = listed.split("\n").filter((line) => /\/\d+ /.test(line));
  return createHash("sha256").update(steps.join("\n")).digest("hex");
}

/** `refs/longhaul/<run>/before-<turn>` keeps the tree before a turn, `plan-<turn>` what one has written that may only plan. */
export function turnRef(kind: "before" | "plan", runId: string, turn: string): string {
  return `refs/longhaul/${runId}/${kind}-${turn}`;
}

export interface KeepOptions {
  message: string;
  /** Commits to hold besides the one that is checked out. */
  parents?: readonly string[];
  /** Files that belong to it, ignored or not. */
  also?: readonly string[];
}

/** Keep the whole tree as a commit on top of HEAD that only the ref names. Null in a folder without git. */
export async function keepTree(git: Git, ref: string, { message, parents = [], also }: KeepOptions): Promise<KeptTree | null> {
  const kept = await withWholeTree(
    git,
    async ({ tree, head, branch }) => {
      const all = [...(head === null ? [] : [head]), ...parents].flatMap((parent) => ["-p", parent]);
      const commit = await git.run(["commit-tree", ...all, "-F", "-", tree], { input: `${message}\n` });
      await git.run(["update-ref", "--no-deref", ref, commit]);
      return { commit, tree, head, branch };
    },
    also,
  );
  return kept ?? null;
}

async function readStart(file: string): Promise<z.infer<typeof Start> | undefined> {
  try {
    return Start.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return undefined; // none yet, or cut off by a crash before the turn began
  }
}

async function writeStart(file: string, start: z.infer<typeof Start>): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.part`, JSON.stringify(start), { mode: 0o600 });
  await rename(`${file}.part`, file);
}
