import type { Call, Outcome } from "../contract/activity.js";
import type { JsonObject } from "../contract/json.js";
import type { Git, StepOptions } from "../sdk/context.js";
import { defined, onTree } from "./call.js";
import type { Engine } from "./engine.js";
import type { activitiesFor } from "./proxies.js";

type GitActivities = ReturnType<typeof activitiesFor>;

/** `ctx.git`: what changes something is a step, what looks is not. */
export function gitContext(engine: Engine): Git {
  function change<Value>(
    verb: string,
    subject: string,
    input: object,
    options: StepOptions,
    act: (activities: GitActivities, call: <Input>(input: Input) => Call<Input>) => Promise<Outcome<Value>>,
  ): Promise<Value> {
    const key = options.name ?? `git-${verb}`;
    return engine.step({ kind: "git", key, options, input: { ...input } as JsonObject }, (place) =>
      onTree(engine, place, options, `${key}: ${subject}`, act),
    );
  }

  function look<Value>(
    what: string,
    act: (activities: GitActivities, call: <Input>(input: Input) => Call<Input>) => Promise<Outcome<Value>>,
  ): Promise<Value> {
    return engine.read(`git-${what}`, (place) => onTree(engine, place, {}, `git ${what}`, act));
  }

  return {
    ensureBranch(name, { from, ...options } = {}) {
      const input = { name, ...defined({ from }) };
      return change("ensure-branch", name, input, options, (git, call) => git.gitEnsureBranch(call(input)));
    },
    commit(message, { files, allowEmpty, ...options } = {}) {
      const input = { message, ...defined({ files, allowEmpty }) };
      return change("commit", message, input, options, (git, call) => git.gitCommit(call(input)));
    },
    push({ remote, branch, ...options } = {}) {
      const input = defined({ remote, branch });
      return change("push", remote ?? "origin", input, options, (git, call) => git.gitPush(call(input)));
    },
    createPr({ title, body, base, draft, ...options }) {
      const input = { title, ...defined({ body, base, draft }) };
      return change("create-pr", title, input, options, (git, call) => git.gitCreatePr(call(input)));
    },
    stageAll: (options = {}) => change("stage-all", "everything", {}, options, (git, call) => git.gitStageAll(call({}))),
    getCurrentBranch: () => look("current branch", (git, call) => git.gitCurrentBranch(call({}))),
    getCurrentCommit: () => look("current commit", (git, call) => git.gitCurrentCommit(call({}))),
    status: () => look("status", (git, call) => git.gitStatus(call({}))),
  };
}
