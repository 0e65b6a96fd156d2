import { Context } from "@temporalio/activity";
import type { Call } from "../contract/activity.js";
import type { ChildRequest } from "../contract/child.js";
import type { Fact, TreeRef } from "../contract/fact.js";
import { isUnverified } from "../contract/messages.js";
import type { DoneRequest, DoneStep, SeedPage, SeedRequest } from "../contract/seed.js";
import { type AgentDeps, createAgentActivity } from "./agent/index.js";
import { createArtifactActivity } from "./artifact.js";
import { describeFailure, StepFailure, toApplicationFailure } from "./failure.js";
import { createFilesActivities } from "./files.js";
import { createGitActivities, createWorkspaceActivities, type GitDeps, worktreesRoot } from "./git.js";
import { openGit } from "./git-client.js";
import { sharesTree } from "./operations.js";
import { keepOutput } from "./oversize.js";
import { patiently } from "./patiently.js";
import { type ChildDeps, prepareChild } from "./prepare-child.js";
import { createRestoreActivity, type RestoreDeps } from "./restore.js";
import { SecretMask } from "./secret-mask.js";
import { type ShellInput, shell } from "./shell.js";
import { snapshotTree } from "./snapshot.js";
import { sweepRun } from "./sweep.js";
import { agentServer } from "./tool/agent/index.js";
import { githubServer } from "./tool/github/index.js";
import { createToolActivity, type ToolDeps } from "./tool/index.js";
import { createUserActivity, type UserActivityDeps } from "./user-activity.js";
import { openWorkspace } from "./workspace.js";

export interface ActivityDeps extends GitDeps, RestoreDeps, AgentDeps, UserActivityDeps, ToolDeps, ChildDeps {
  /** Waits until all that the run has told is in Postgres, then writes its ending. */
  closeGate(final: Fact, signal: AbortSignal): Promise<void>;
  /** Steps of the run that a run goes on from. */
  readSeed(request: SeedRequest): Promise<SeedPage>;
  /** Steps of a run that has done them in an earlier execution: some of those asked for, from the first on. */
  readDone(request: DoneRequest): Promise<DoneStep[]>;
}

/** A run's last act. */
export interface CloseGateInput {
  run: { run_id: string; project_path: string };
  final: Fact;
}

export type Activities = ReturnType<typeof createActivities>["activities"];

/**
 * All that a worker registers with Temporal. Every activity refuses an argument that Longhaul has not signed.
 * `stop` is called when the worker takes no more work.
 */
export function createActivities(given: ActivityDeps) {
  const deps: ActivityDeps = {
    mask: hidingOwn(given),
    snapshotTree: (call) => leaveTree(given, call),
    openTree: ({ run }) => openWorkspace(run, { root: worktreesRoot(given.home) }),
    builtIn: new Map([
      ["github", () => githubServer({ apiUrl: given.githubApiUrl, token: given.githubToken })],
      ["agent", () => agentServer(given)],
    ]),
    ...given,
  };
  const { userActivity, stop } = createUserActivity(deps);
  const tools = createToolActivity(deps);

  return {
    activities: signed({
      ...createWorkspaceActivities(deps),
      ...createRestoreActivity(deps),
      ...createGitActivities(deps),
      ...createFilesActivities(deps),
      shell: (call: Call<ShellInput>) => shell(deps, call),
      agent: createAgentActivity(deps),
      artifact: createArtifactActivity(deps),
      userActivity,
      tool: tools.tool,
      prepareChild: (request: ChildRequest) => prepareChild(deps, request),
      readSeed: (request: SeedRequest) => patiently(() => deps.readSeed(request), deps),
      readDone: (request: DoneRequest) => patiently(() => deps.readDone(request), deps),
      keepOutput,
      closeGate: (input: CloseGateInput) => closeGate(deps, input),
    }),
    async stop() {
      await Promise.all([stop(), tools.stop()]);
      await deps.journal.stop();
    },
  };
}

function hidingOwn({ githubToken: token = "" }: ActivityDeps): SecretMask {
  return new SecretMask(token.length >= 8 ? [token] : []);
}

/** The tree as a step has left it; none of a folder without git. */
async function leaveTree({ journal }: ActivityDeps, call: Call<unknown>): Promise<TreeRef | undefined> {
  const git = await openGit(call.run.workspace.path);
  return snapshotTree(git, call.run.run_id, call.step.number, { shared: sharesTree(journal, call) });
}

/** Nothing of the run is left running when its gate opens. */
async function closeGate(
  { closeGate, heartbeatMs = 5_000, graceMs }: ActivityDeps,
  { run, final }: CloseGateInput,
): Promise<void> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), heartbeatMs);
  try {
    await sweepRun(run.run_id, graceMs);
    await closeGate(final, context.cancellationSignal);
  } finally {
    clearInterval(beating);
  }
}

type Activity = (input: never) => Promise<unknown>;

function signed<Named extends Record<string, Activity>>(activities: Named): Named {
  const checked = Object.entries(activities).map(([name, activity]) => [name, check(name, activity)]);
  return Object.fromEntries(checked) as Named; // each as it was, behind a check
}

function check(name: string, activity: Activity): Activity {
  return async (input) => {
    if (!isUnverified(input)) return activity(input);
    const now = new Date().toISOString();
    const refusal = new StepFailure("unverified", `${name} was asked for by someone who is not Longhaul.`);
    throw toApplicationFailure(describeFailure(refusal, { started_at: now, completed_at: now, lost: [] }));
  };
}
