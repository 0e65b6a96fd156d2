import type { Json, JsonObject } from "../contract/json.js";
import type { LogLevel } from "../contract/log.js";
import { LOG_LEVELS } from "../contract/log-level.js";
import type { CodeProgram, RunSpec } from "../contract/run-spec.js";
import type { Agent } from "../sdk/agents.js";
import type {
  AgentOptions,
  AgentResult,
  ArtifactOptions,
  ArtifactResult,
  Branch,
  ExecResult,
  Log,
  ShellOptions,
  StepConfig,
  StepOptions,
  StepResult,
  WorkflowContext,
} from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { activityStep } from "./activity-step.js";
import { agentStep } from "./agent-step.js";
import { asJson } from "./as-json.js";
import { call, defined, label, onTree } from "./call.js";
import { filesContext } from "./context-files.js";
import { gitContext } from "./context-git.js";
import { waitingContext } from "./context-waiting.js";
import type { Engine } from "./engine.js";
import { nap } from "./nap.js";
import { askPanel } from "./panel.js";
import { activitiesFor } from "./proxies.js";
import { shellStep } from "./shell-step.js";
import { timed, within } from "./timed.js";
import { callTool } from "./tool-step.js";

/** Any context: what a workflow of unknown types is handed. */
// biome-ignore lint/suspicious/noExplicitAny: the file's own types are known to its author's compiler alone
export type AnyContext = WorkflowContext<any, any>;

/** The one `ctx` of a run: words of its author's for steps of the engine. */
export function createContext(engine: Engine): AnyContext {
  const { spec } = engine;

  const shell = (command: string, options: ShellOptions = {}): Promise<ExecResult> =>
    shellStep(engine, options.name ?? keyOf(command), command, options);

  function agent(
    name: string,
    second: Agent | Agent["provider"] | (AgentOptions & { prompt: string; provider?: Agent["provider"] }),
    prompt?: string,
    options: AgentOptions = {},
  ): Promise<AgentResult> {
    if (typeof second === "object" && "prompt" in second) {
      const { prompt: text, provider, ...rest } = second;
      return agentStep(engine, name, provider, text, rest);
    }
    return agentStep(engine, name, typeof second === "string" ? second : second.provider, prompt ?? "", options);
  }

  function run<T>(name: string, fn: () => Promise<T> | T, options: StepOptions = {}): Promise<T> {
    return engine.step({ kind: "function", key: name, options, input: null }, (place) =>
      timed(() =>
        engine.inside(place, () => within(engine.life, name, options.timeout, async () => asJson(await fn(), name) as T)),
      ),
    );
  }

  async function step<Data>(id: string, config: StepConfig<AnyContext>): Promise<StepResult<Data>> {
    const { onFailure = "stop" } = config;
    if (config.if === false) {
      await engine.step({ kind: "function", key: id, options: stepOptions(config), input: null }, () => timed(async () => null));
      return { stepId: id, status: "skipped" };
    }
    try {
      const data = (await configured(id, config)) as Data;
      if (data === undefined && engine.result(id)?.status === "skipped") return { stepId: id, status: "skipped" }; // by a person
      return { stepId: id, status: "completed", data };
    } catch (error) {
      if (onFailure !== "continue" || !(error instanceof StepFailed)) throw error;
      return {
        stepId: id,
        status: "failed",
        error: error.message,
        ...(error.output === undefined ? {} : { data: error.output as Data }),
      };
    }
  }

  function configured(id: string, config: StepConfig<AnyContext>): Promise<unknown> {
    const options = { ...stepOptions(config), name: config.name ?? id };
    switch (config.type) {
      case "agent": {
        const { agent: chosen, prompt } = config;
        const { role, profile, skills, mcpServers, model, permission, systemPrompt, maxTurns, env, schema } = config;
        const { secrets, budget, session, verify, ask } = config;
        const files = { role, profile, skills, mcpServers };
        const said = { model, permission, systemPrompt, maxTurns, env, schema, secrets, budget, session, verify, ask };
        const more = defined({ ...files, ...said });
        const provider = typeof chosen === "object" ? chosen.provider : chosen;
        return agentStep(engine, id, provider, typeof prompt === "function" ? prompt(ctx) : prompt, { ...options, ...more });
      }
      case "script": {
        const { cwd, env, secrets, allowFailure } = config;
        return named(id, () => shell(config.command, { ...options, ...defined({ cwd, env, secrets, allowFailure }) }));
      }
      case "function":
        return run(id, () => config.fn(ctx), options);
      default:
        throw new StepFailed(id, "invalid_step", `Step "${id}" has no type: say "agent", "script" or "function".`);
    }
  }

  /** A script's key is its id, whatever it is called. */
  function named(id: string, start: () => Promise<ExecResult>): Promise<ExecResult> {
    scriptKey = id;
    try {
      return start();
    } finally {
      scriptKey = undefined;
    }
  }
  let scriptKey: string | undefined;

  function keyOf(command: string): string {
    return scriptKey ?? (slug(command) || "shell");
  }

  function activity(name: string, args: unknown[], options: StepOptions = {}): Promise<unknown> {
    const { activities_hash: hash, activities } = codeOf(spec);
    if (hash === null || !activities.includes(name)) {
      throw new StepFailed(name, "unknown_activity", `${spec.program.file} exports no activity "${name}".`);
    }
    return activityStep(engine, name, { hash, name, args: asJson(args, name) as Json[] }, options);
  }

  async function parallel(branches: Branch<unknown>[], { limit = Number.POSITIVE_INFINITY }: { limit?: number } = {}) {
    const queue = branches.map((branch, i) => ({ branch, i }));
    const results: PromiseSettledResult<unknown>[] = [];
    const lane = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { branch, i } = next;
        [results[i]] = (await Promise.allSettled([typeof branch === "function" ? branch() : branch])) as [
          PromiseSettledResult<unknown>,
        ];
      }
    };
    await Promise.all(Array.from({ length: Math.min(Math.max(1, limit), branches.length) }, lane));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    return results.map((result) => (result as PromiseFulfilledResult<unknown>).value);
  }

  const ctx: AnyContext = {
    runId: spec.run_id,
    projectPath: spec.workspace.path,
    project: { id: spec.project_id, path: spec.project_path },
    input: spec.input,
    args: spec.input,
    run,
    step,
    agent,
    agents: ((name, prompt, options) => askPanel(engine, name, prompt, options)) as AnyContext["agents"], // by its strategy
    runCli: (name, chosen, prompt, options) => agent(name, chosen, prompt, options),
    shell,
    exec: (command, options) => shell(command, typeof options === "string" ? { cwd: options } : options),
    tool: <Data>(name: string, params: object = {}, options?: StepOptions) =>
      callTool(engine, name, asJson(params, name) as JsonObject, options) as Promise<Data>, // as its author says it is
    git: gitContext(engine),
    files: filesContext(engine),
    activities: new Proxy(
      {},
      {
        get:
          (_, name) =>
          (...args: unknown[]) =>
            activity(String(name), args),
      },
    ),
    activity: (name, args, options) => activity(name, args as unknown[], options),
    artifact: (name, options) => artifact(engine, name, options),
    comment: async (text, where) => {
      const metadata = typeof where === "object" ? (asJson(where, "comment") as JsonObject) : {};
      const stepId = typeof where === "string" ? engine.stepId(where) : (engine.current?.id ?? null);
      engine.notes.comment(text, stepId, metadata);
    },
    commentExecution: async (text, metadata = {}) => engine.notes.comment(text, null, asJson(metadata, "comment") as JsonObject),
    set: (key, value) => {
      engine.notes.state[key] = asJson(value, `state "${key}"`);
      tellState();
    },
    get: <T>(key: string) => (Object.hasOwn(engine.notes.state, key) ? (engine.notes.state[key] as T) : undefined),
    has: (key) => Object.hasOwn(engine.notes.state, key),
    delete: (key) => {
      const had = Object.hasOwn(engine.notes.state, key);
      delete engine.notes.state[key];
      if (had) tellState();
      return had;
    },
    checkpoint: async (label) => engine.notes.mark(label ?? null),
    getStepResult: <Data>(id: string) => engine.result(id) as StepResult<Data> | undefined,
    log: logger(engine),
    sleep: (duration, options) => nap(engine, options?.name ?? "sleep", duration, options),
    ...waitingContext(engine),
    parallel: parallel as AnyContext["parallel"], // the tuple's types are the declaration's
  };
  return ctx;

  function tellState(): void {
    engine.notes.tellState();
  }
}

function artifact(engine: Engine, name: string, options: ArtifactOptions): Promise<ArtifactResult> {
  const { path, content, type, fileType, mimeType, metadata, ...rest } = options;
  const kept = metadata === undefined ? undefined : asJson(metadata, `artifact "${name}"`);
  const input = { name, ...defined({ path, content, type, file_type: fileType, mime_type: mimeType, metadata: kept }) };
  const shown = { ...input, ...(content === undefined ? {} : { content: `${content.length} characters` }) } as JsonObject;
  return engine.step({ kind: "artifact", key: options.name ?? name, options: rest, input: shown }, async (place) => {
    const work = (activities: ReturnType<typeof activitiesFor>) =>
      activities.artifact(call(engine, place, rest, { ...input, step_id: place.step.id }));
    return path === undefined ? work(activitiesFor(label(place, name), rest)) : onTree(engine, place, rest, name, work);
  });
}

function logger(engine: Engine): Log {
  const say = (level: LogLevel) => (text: string) => {
    const place = engine.place;
    const attempt = place ? place.attempt + place.lost : 1;
    engine.notes.aside(() => ({ type: "log", level, text: String(text), step_id: place?.step.id ?? null, attempt }));
  };
  const levels = Object.fromEntries(LOG_LEVELS.map((level) => [level, say(level)])) as Record<LogLevel, (text: string) => void>;
  return Object.assign(say("info"), levels);
}

/** A run that has a context has code. */
function codeOf({ program }: RunSpec): CodeProgram {
  if (program.kind === "code") return program;
  throw new Error("A plan has no context.");
}

function stepOptions({ name, phase, retry, timeout, idleTimeout, if: condition }: StepOptions): StepOptions {
  return defined({ name, phase, retry, timeout, idleTimeout, if: condition });
}

/** A key from a command: "npm run test -- --watch" gives "npm-run-test". */
function slug(command: string): string {
  const words = command.trim().split(/\s+/).slice(0, 3).join("-");
  return words
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
}
