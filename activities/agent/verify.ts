import type { Call } from "../../contract/activity.js";
import type { Check, CheckResult } from "../../contract/verify.js";
import { StepFailure } from "../failure.js";
import { type Git, openGit } from "../git-client.js";
import { checkBranchName, currentBranch, headCommit } from "../git-refs.js";
import { existingInside } from "../inside.js";
import type { Work } from "../perform.js";
import { chooseRemote } from "../push.js";
import { runCommand, type ShellOutput } from "../shell.js";
import { withWholeTree } from "../snapshot.js";
import { sweep } from "../sweep.js";
import { changedFiles, type TreeState } from "./tree-state.js";
import type { TurnStart } from "./turn-start.js";

/** How long a command of a check may take. */
const COMMAND_MS = 10 * 60_000;
/** Timers of Node reach no further. */
const MAX_TIMER_MS = 2_147_483_647;
const LINES_SEEN = 5;
const CHARS_SEEN = 1_000;
const CHARS_NAMED = 200;

/** What the checks of a turn look at. */
export interface Turn {
  call: Call<unknown>;
  work: Work;
  start: TurnStart;
  /** The tree when the turn was over. */
  after: TreeState;
}

/**
 * Refuse, before anything is spent, checks that no turn could meet.
 *
 * @throws {StepFailure} `invalid_path`, `invalid_ref`, `not_a_repository`.
 */
export async function refuseUncheckable(checks: readonly Check[], { run }: Call<unknown>): Promise<void> {
  for (const check of checks) {
    if ("file_exists" in check) await existingInside(run.workspace.path, check.file_exists);
    if (!("branch_pushed" in check)) continue;
    const git = await openGit(run.workspace.path);
    if ((await git.ask(["rev-parse", "--is-inside-work-tree"])) !== "true")
      throw new StepFailure("not_a_repository", `${git.path} is no git repository, so no branch of it can be pushed.`);
    if (check.branch_pushed !== true) await checkBranchName(git, check.branch_pushed);
  }
}

/**
 * Look at what an agent's step has declared, each of it, one after the other. Each result is told in the step's log.
 *
 * @throws {StepFailure} what stopped the step meanwhile.
 */
export async function verify(checks: readonly Check[], turn: Turn): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const { work } = turn;
  for (const check of checks) {
    const name = nameOf(check);
    work.log.write("log", `(checks ${name})\n`);
    const seen = await lacking(check, turn);
    work.signal.throwIfAborted();
    work.alive();
    work.log.write("log", `(${seen === null ? "it holds" : `it does not hold: ${seen}`})\n`, seen === null ? "info" : "warn");
    results.push(seen === null ? { check: name, ok: true } : { check: name, ok: false, seen });
  }
  return results;
}

/** What does not hold and what was there instead, a line each. */
export function describeUnmet(results: readonly CheckResult[]): string {
  const unmet = results.filter(({ ok }) => !ok);
  const lines = unmet.map(({ check, seen }) => `- ${check}: ${seen}`);
  return `The agent has ended its turn, but of ${results.length} checks ${unmet.length} do not hold:\n${lines.join("\n")}`;
}

/** Null when the check holds, else what was seen. */
async function lacking(check: Check, turn: Turn): Promise<string | null> {
  try {
    if ("tree_changed" in check) return await noChange(turn);
    if ("file_exists" in check) return await noFile(check.file_exists, turn);
    if ("command" in check) return await commandFails(check, turn);
    return await notPushed(check.branch_pushed, turn);
  } catch (error) {
    if (turn.work.signal.aborted || !(error instanceof StepFailure)) throw error;
    return error.message;
  }
}

async function noChange({ call, work, start, after }: Turn): Promise<string | null> {
  if (start.state.head !== after.head) return null;
  const git = start.kept && (await openTurn(call, work));
  const differs = git
    ? (await withWholeTree(git, async ({ tree }) => tree)) !== start.kept?.tree
    : changedFiles(start.state, after).length > 0;
  return differs ? null : "no file differs from before the turn, and no commit was made";
}

async function noFile(path: string, { call }: Turn): Promise<string | null> {
  return (await existingInside(call.run.workspace.path, path)) === null ? "nothing is there" : null;
}

/** As a command of a shell step runs; nothing that it has started outlives the check. */
async function commandFails(
  { command, env, timeout_ms = COMMAND_MS }: Extract<Check, { command: string }>,
  { call, work }: Turn,
): Promise<string | null> {
  const limit = new AbortController();
  const late = () => limit.abort(new StepFailure("timed_out", `it was ended, as it took longer than ${timeout_ms / 1000} s`));
  const timer = setTimeout(late, Math.min(timeout_ms, MAX_TIMER_MS));
  try {
    const signal = AbortSignal.any([work.signal, limit.signal]);
    await runCommand({ ...call, input: { command, env } }, { ...work, signal });
    return null;
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    const output = error.output as ShellOutput | undefined; // as `runCommand` says
    const end = error.type === "shell_failed" ? `exit code ${output?.exitCode}` : error.message;
    const last = output ? lastLines(output.stderr) || lastLines(output.stdout) : "";
    return last ? `${end}\n${last}` : end;
  } finally {
    clearTimeout(timer);
    await sweep(work.marks, work.graceMs);
  }
}

async function notPushed(wanted: string | true, { call, work }: Turn): Promise<string | null> {
  const git = await openTurn(call, work);
  const branch = wanted === true ? await currentBranch(git) : wanted;
  if (branch === null) return "no branch is checked out";
  const head = await headCommit(git);
  if (head === null) return "there is no commit yet";
  const remote = await chooseRemote(git, "origin");
  const there = (await git.run(["ls-remote", "--refs", "--", remote, `refs/heads/${branch}`])).split(/\s/)[0];
  if (there === head) return null;
  return there ? `origin has ${branch} at ${short(there)}, and HEAD is ${short(head)}` : `origin has no branch ${branch}`;
}

function openTurn({ run }: Call<unknown>, { marks, signal }: Work): Promise<Git> {
  return openGit(run.workspace.path, { marks, signal });
}

function nameOf(check: Check): string {
  const [word, about] = Object.entries(check)[0] ?? [];
  return about === true ? `${word}` : `${word}: ${String(about).slice(0, CHARS_NAMED)}`;
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-LINES_SEEN).join("\n").slice(-CHARS_SEEN);
}

function short(commit: string): string {
  return commit.slice(0, 10);
}
