import { join } from "node:path";
import { Context } from "@temporalio/activity";
import { CancelledFailure } from "@temporalio/common";
import type { Call, Outcome, RunRef } from "../contract/activity.js";
import { type EnsureBranchInput, ensureBranch } from "./branch.js";
import { type CommitInput, commit, stageAll } from "./commit.js";
import { describeFailure, StepFailure, toApplicationFailure } from "./failure.js";
import { type Git, openGit } from "./git-client.js";
import { currentBranch, headCommit } from "./git-refs.js";
import { readStatus } from "./git-status.js";
import { look } from "./look.js";
import { beginningOf, begunRef, note } from "./own-branch.js";
import type { PerformDeps, Work } from "./perform.js";
import { createPullRequest, type PullRequest, type PullRequestInput } from "./pull-request.js";
import { type PushInput, type Pushing, push } from "./push.js";
import { refuseLate } from "./refuse-late.js";
import { performOnTree, type TreeDeps } from "./tree-step.js";
import { openWorkspace, type Workspace } from "./workspace.js";

export interface GitDeps extends TreeDeps {
  githubApiUrl: string;
  githubToken?: string | undefined;
}

/** What a step is known by in the commits and pull requests it makes: `<run id>/<step number>`. */
export function stepMark({ run, step }: Call<unknown>): string {
  return `${run.run_id}/${step.number}`;
}

/**
 * Git in the run's tree. What changes something can be done again after a lost worker: it finds what it has done.
 * Failures have the types named in `branch.ts`, `commit.ts`, `push.ts` and `pull-request.ts`, and `not_a_repository`.
 */
export function createGitActivities(deps: GitDeps) {
  function change<Input, Value>(name: string, call: Call<Input>, work: (git: Git, work: Work) => Promise<Value>, writes = true) {
    return performOnTree(deps, name, call, { writes }, async (given) => {
      return work(await openTree(call.run, { marks: given.marks, signal: given.signal }), given);
    });
  }

  return {
    gitEnsureBranch: (call: Call<EnsureBranchInput>) =>
      change("the switch of branches", call, async (git) => {
        const { name } = call.input;
        const { runId, isRestored } = pushing(call.run);
        const begun = isRestored ? await beginningOf(git, runId, name) : undefined;
        const made = await ensureBranch(git, begun === undefined ? call.input : { name, from: begun });
        const head = made.created ? await headCommit(git) : null;
        if (head) await note(git, begunRef(runId, name), head);
        return made;
      }),

    gitCommit: (call: Call<CommitInput>) =>
      change("the commit", call, (git) => commit(git, call.input, { step: stepMark(call), several: call.step.kind !== "git" })),

    gitStageAll: (call: Call<object>) => change("staging", call, (git) => stageAll(git)),

    gitPush: (call: Call<PushInput>) => change("the push", call, (git) => push(git, call.input, pushing(call.run)), false),

    gitCreatePr: (call: Call<PullRequestInput>): Promise<Outcome<PullRequest>> =>
      change(
        "the pull request",
        call,
        (git, { signal }) =>
          createPullRequest(
            git,
            call.input,
            { apiUrl: deps.githubApiUrl, token: deps.githubToken, signal },
            { mark: stepMark(call), from: call.run.workspace.base_branch },
          ),
        false,
      ),

    gitStatus: (call: Call<object>) => look(deps, call, async (signal) => readStatus(await openTree(call.run, { signal }))),

    gitCurrentBranch: (call: Call<object>) =>
      look(deps, call, async (signal) => currentBranch(await openTree(call.run, { signal }))),

    gitCurrentCommit: (call: Call<object>) =>
      look(deps, call, async (signal) => {
        const head = await headCommit(await openTree(call.run, { signal }));
        if (!head) throw new StepFailure("invalid_ref", "The repository has no commit yet.");
        return head;
      }),
  };
}

/** A run that works in another one's tree pushes that one's branches. */
function pushing({ run_id, workspace }: RunRef): Pushing {
  return { runId: workspace.owner ?? run_id, isRestored: workspace.restored !== undefined };
}

/** Git in the run's tree. @throws {StepFailure} `workspace_missing`, `not_a_repository`. */
export async function openTree(run: RunRef, options: Parameters<typeof openGit>[1]): Promise<Git> {
  const git = await openGit(run.workspace.path, options);
  if ((await git.ask(["rev-parse", "--is-inside-work-tree"])) === "true") return git;
  throw new StepFailure("not_a_repository", `${run.workspace.path} is no git repository, so this step cannot be done there.`);
}

export interface WorkspaceDeps extends Pick<PerformDeps, "heartbeatMs" | "isReset"> {
  /** LONGHAUL_HOME */
  home: string;
}

/** Where the trees of runs are. */
export function worktreesRoot(home: string): string {
  return join(home, "worktrees");
}

/** The run's tree: made, found or brought back, whatever is needed. It can be asked for any number of times. */
export function createWorkspaceActivities({ home, heartbeatMs = 5_000, isReset }: WorkspaceDeps) {
  return {
    async openWorkspace(run: RunRef): Promise<Workspace> {
      const context = Context.current();
      const started_at = new Date().toISOString();
      const beating = setInterval(() => context.heartbeat(), heartbeatMs);
      const { cancellationSignal: signal, info } = context;
      try {
        const { runId: execution, workflowId = run.run_id } = info.workflowExecution ?? {};
        await refuseLate({ isReset }, run, { workflow_id: workflowId, execution: execution ?? "" }, signal);
        return await openWorkspace(run, { root: worktreesRoot(home), execution, signal, marks: { LONGHAUL_RUN_ID: run.run_id } });
      } catch (error) {
        if (signal.aborted) throw new CancelledFailure("The run's tree was not opened: the step was cancelled.");
        throw toApplicationFailure(
          describeFailure(error, { started_at, completed_at: new Date().toISOString(), lost: [] }),
          error,
        );
      } finally {
        clearInterval(beating);
      }
    },
  };
}
