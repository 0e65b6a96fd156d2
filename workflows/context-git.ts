import type { Call, Outcome } from "../contract/activity.js";
import { forkedBranch, isSameBranch } from "../contract/forked-branch.js";
import type { JsonObject } from "../contract/json.js";
import type { Git, StepOptions } from "../sdk/context.js";
import { defined, onTree } from "./call.js";
import type { Engine } from "./engine.js";
import type { activitiesFor } from "./proxies.js";

type GitActivities = ReturnType<typeof activitiesFor>;

interface GitNote {
  branch_name?: string;
  commit_sha?: string;
  pr_url?: string;
}

/** `ctx.git`: what changes something is a step, what looks is not. */
export function gitContext(engine: Engine): Git {
  const { from: origin, instead_of = null } = engine.spec.workspace;
  const theirs = origin ? origin.branch : instead_of;

  /** A run that goes on from another one has a branch of its own in the place of that one's. */
  function own(branch: string): string {
    return theirs !== null && isSameBranch(branch, theirs) ? forkedBranch(branch, engine.spec.run_id) : branch;
  }

  function change<Value>(
    verb: string,
    subject: string,
    input: object,
    options: StepOptions,
    act: (activities: GitActivities, call: <Input>(input: Input) => Call<Input>) => Promise<Outcome<Value>>,
  ): Promise<Value> {
    const key = options.name ?? `git-${verb}`;
    return engine.step({ kind: "git", key, options, input: { ...input } as JsonObject }, (place) =>
      onTree(engine, place, options, subject, act),
    );
  }

  /** A step that was not done again tells of the other run's. */
  async function onOwn<Value extends { branch: string }>(made: Promise<Value>): Promise<Value> {
    const value = await made;
    return value && theirs !== null ? { ...value, branch: own(value.branch) } : value;
  }

  /** What git has made of the run is shown with the run; a step that was skipped has made nothing. */
  async function noted<Value>(made: Promise<Value>, what: (value: Value) => GitNote): Promise<Value> {
    const value = await made;
    if (value) engine.notes.aside(() => ({ type: "run.git", ...what(value) }));
    return value;
  }

  function look<Value>(
    what: string,
    act: (activities: GitActivities, call: <Input>(input: Input) => Call<Input>) => Promise<Outcome<Value>>,
  ): Promise<Value> {
    return engine.looks.read(`git ${what}`, (place) => onTree(engine, place, {}, what, act));
  }

  return {
    ensureBranch(name, { from, ...options } = {}) {
      const input = { name: own(name), ...defined({ from }) };
      const made = change("ensure-branch", input.name, input, options, (git, call) => git.gitEnsureBranch(call(input)));
      return noted(onOwn(made), ({ branch }) => ({ branch_name: branch }));
    },
    commit(message, { files, allowEmpty, ...options } = {}) {
      const input = { message, ...defined({ files, allowEmpty }) };
      const made = change("commit", message, input, options, (git, call) => git.gitCommit(call(input)));
      return noted(made, ({ sha }) => ({ commit_sha: sha }));
    },
    push({ remote, branch, ...options } = {}) {
      const input = defined({ remote, branch: branch === undefined ? branch : own(branch) });
      const made = change("push", remote ?? "origin", input, options, (git, call) => git.gitPush(call(input)));
      return noted(onOwn(made), (pushed) => ({ branch_name: pushed.branch, commit_sha: pushed.sha }));
    },
    createPr({ title, body, base, draft, ...options }) {
      const input = { title, ...defined({ body, base, draft }) };
      const made = change("create-pr", title, input, options, (git, call) => git.gitCreatePr(call(input)));
      return noted(made, ({ url }) => ({ pr_url: url }));
    },
    stageAll: (options = {}) => change("stage-all", "everything", {}, options, (git, call) => git.gitStageAll(call({}))),
    getCurrentBranch: () => look("current branch", (git, call) => git.gitCurrentBranch(call({}))),
    getCurrentCommit: () => look("current commit", (git, call) => git.gitCurrentCommit(call({}))),
    status: () => look("status", (git, call) => git.gitStatus(call({}))),
  };
}
