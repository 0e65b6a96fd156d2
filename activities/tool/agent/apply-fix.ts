import { z } from "zod";
import type { AgentDeps } from "../../agent/index.js";
import { ensureBranch } from "../../branch.js";
import { commit } from "../../commit.js";
import { openTree, stepMark } from "../../git.js";
import type { Git } from "../../git-client.js";
import { checkBranchName } from "../../git-refs.js";
import { chooseRemote, push } from "../../push.js";
import { type BuiltInTool, builtInTool } from "../built-in.js";
import { ask, WHOM } from "./ask.js";

const Done = z.object({
  summary: z.string().describe("What was changed and why, in Markdown."),
  breaking_changes: z.string().describe("What users must do; empty when nothing."),
  complete: z.boolean().describe("False when something of the task is left to do."),
});

const input = z.strictObject({
  fix: z.json().describe("What to change: a text, or an analysis."),
  context: z.json().optional(),
  branch: z.string().min(1).optional().describe("Where to change it, commit it and push it. Left out: in the run's tree alone."),
  message: z.string().min(1).default("Apply a fix"),
  permission: z.enum(["acceptEdits", "bypassPermissions"]).default("acceptEdits"),
  ...WHOM,
});

const TASK =
  "Make this change in the repository you are in. Change no more than it needs, and do not commit: that is done for you.";

/** `agent.applyFix`: the one of the agent's tools that changes files. */
export function applyFixTool(deps: AgentDeps): BuiltInTool {
  return builtInTool(
    "Make a change: { summary, breaking_changes, complete, branch, commit, pushed }. With `branch` it is committed and pushed there.",
    input,
    async ({ fix, context, branch, message, permission, ...whom }, use) => {
      const { call, work } = use;
      await use.openTree();
      const git = branch === undefined ? null : await openTree(call.run, { marks: work.marks, signal: work.signal });
      if (git && branch !== undefined) await switchTo(git, branch);
      const answer = await ask(deps, use, { task: TASK, material: { fix, context }, schema: Done, permission, whom });
      const done = Done.parse(answer);
      if (!git || branch === undefined) return { ...done, branch: null, commit: null, pushed: false };

      const { sha } = await commit(git, { message }, { step: stepMark(call), several: call.step.kind !== "tool" });
      await push(git, { branch });
      return { ...done, branch, commit: sha, pushed: true };
    },
  );
}

/** The branch as the remote has it now, should it be there only. */
async function switchTo(git: Git, branch: string): Promise<void> {
  await checkBranchName(git, branch);
  const isHere = await git.ask(["rev-parse", "--verify", "--quiet", "--end-of-options", `refs/heads/${branch}`]);
  if (isHere === null && (await git.run(["remote"])) !== "") {
    const remote = await chooseRemote(git);
    await git.ask(["fetch", "--quiet", "--no-tags", "--", remote, `refs/heads/${branch}:refs/remotes/origin/${branch}`]);
  }
  await ensureBranch(git, { name: branch });
}
