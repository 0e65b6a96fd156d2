import type { z } from "zod";
import type { SessionChoice } from "../contract/agent-session.js";
import type { ArtifactType, FileType } from "../contract/artifact.js";
import type { InstructionFile } from "../contract/instruction-file.js";
import type { LogLevel } from "../contract/log.js";
import type { PermitDecision } from "../contract/permit.js";
import type { RetryPolicy } from "../contract/retry.js";
import type { Agent } from "./agents.js";
import type { ActivityFunctions } from "./define-workflow.js";
import type { PanelAnswer, PanelAnswers, PanelOptions } from "./panel.js";
import type { Approval, ApproveOptions, ChildOptions, WaitForEventOptions } from "./waiting.js";

/** What every step may be told. */
export interface StepOptions {
  /** How people see the step. @default its key */
  name?: string;
  /** @default the phase of the step before */
  phase?: string;
  /** `true`: the policy's defaults (3 tries, exponential, 1 s). Left out: one try. `false`: not even when its outcome is unknown. */
  retry?: RetryPolicy | boolean;
  /** Milliseconds a try may take. @default none */
  timeout?: number;
  /** Milliseconds a try may be without output. @default none */
  idleTimeout?: number;
  /** False: the step is skipped. */
  if?: boolean;
}

export interface ShellOptions extends StepOptions {
  /** Relative to the run's tree, and inside it. @default its root */
  cwd?: string;
  env?: Record<string, string>;
  /** Names of the project's secrets, each a variable of the command's environment. One that is not set fails the step as `secret_missing`. */
  secrets?: string[];
  /** Give the exit code back instead of failing. */
  allowFailure?: boolean;
}

/** Output is kept to 16,000 characters each, head and tail; the whole is in the step's log. */
export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export type Permission = "default" | "plan" | "acceptEdits" | "bypassPermissions";

/**
 * What must be so after an agent's turn, in the run's tree: a file differs from before or a commit was made; something is at the path;
 * the command exits with 0 within `timeout` milliseconds (10 minutes when left out); `origin` has the branch (`true`: the one
 * that is checked out) at HEAD.
 */
export type AgentCheck =
  | { treeChanged: true }
  | { fileExists: string }
  | { command: string; timeout?: number }
  | { branchPushed: true | string };

export interface AgentOptions extends StepOptions {
  model?: string;
  /** What the agent may do without asking. @default "default" */
  permission?: Permission;
  /** Whom the agent is to be: the project's `.agent/agents/<role>.md`, or the word alone where there is no such file. */
  role?: string;
  /** The project's `.agent/profiles/<profile>.md`. What the step says itself beats it, and it beats the role. */
  profile?: string;
  /** Of the project's `.agent/skills/<name>/SKILL.md`. @default those that the profile names, else the role */
  skills?: string[];
  /** Names of the project's `.agent/mcp.json`: servers whose tools the agent is given. It has no others. @default none */
  mcpServers?: string[];
  /** Added to the agent's own. A session keeps the one that it began with. */
  systemPrompt?: string;
  /** How often the model may answer; not every agent can be told, and the step fails as `agent_unsupported` then. @default no limit */
  maxTurns?: number;
  /** What the step may spend, all its tries together. */
  budget?: BudgetOption;
  env?: Record<string, string>;
  /** As of a shell's. What the agent says of them is hidden in everything that is recorded. */
  secrets?: string[];
  /** JSON schema of the answer's `data`. */
  schema?: Record<string, unknown>;
  /** An earlier answer's `sessionId`: the conversation goes on. `{ fork: sessionId }`: a copy of it does, and it stays as it is. */
  session?: SessionChoice;
  /**
   * How a person is asked for what the permission does not cover: the step waits as an approval does, `deadline` (milliseconds, or a text such as
   * `"2 hours"`) for each answer, and when nobody has answered by then `default` counts. `"allow"` needs `LONGHAUL_ALLOW_BYPASS`. `false`: nobody is
   * asked, it is refused; so is all in a run that nobody attends, and of an agent inside `ctx.run`.
   *
   * @default no deadline; default "deny"
   */
  ask?: false | { deadline?: number | string; default?: "allow" | "deny" };
  /** Checked after the turn, each of them; what does not hold fails the step as `agent_unverified`. */
  verify?: AgentCheck[];
}

/** What agents may spend. Each measure counts by itself; the first that is reached ends it. */
export interface BudgetOption {
  /** Dollars; Codex does not tell them. */
  usd?: number;
  /** Read and written by models; what comes from a cache does not count. */
  tokens?: number;
  /** Answers of models. */
  turns?: number;
  /** That agents are at work. */
  minutes?: number;
  /** `stop`: the step fails as `budget_exceeded`. `ask`: it waits for somebody to let as much again be spent. @default "stop" */
  onReached?: "stop" | "ask";
}

export interface AgentResult {
  text: string;
  /** What was read of the project for its role, profile and skills; absent when there was nothing. */
  instructionFiles?: InstructionFile[];
  data?: unknown;
  sessionId: string;
  usage: object;
  filesChanged: string[];
  permissionDenials: unknown[];
  /** What people were asked for, in order, and what they said; absent when they were not. */
  permissions?: PermitDecision[];
  /** Of a step with `verify`, in its order. */
  verified?: { check: string; ok: boolean }[];
}

interface StepConfigBase extends StepOptions {
  /** Accepted and ignored: the first argument of `ctx.step` is the id. */
  id?: string;
  /** `continue`: a failed step is returned as `{ status: "failed", error }` instead of thrown. @default "stop" */
  onFailure?: "stop" | "continue";
}

export interface AgentStepConfig<Ctx> extends StepConfigBase, Omit<AgentOptions, keyof StepOptions> {
  type: "agent";
  agent?: Agent | Agent["provider"];
  prompt: string | ((ctx: Ctx) => string);
}

export interface ScriptStepConfig extends StepConfigBase, Omit<ShellOptions, keyof StepOptions> {
  type: "script";
  command: string;
}

export interface FunctionStepConfig<Ctx> extends StepConfigBase {
  type: "function";
  fn: (ctx: Ctx) => unknown;
}

export type StepConfig<Ctx> = AgentStepConfig<Ctx> | ScriptStepConfig | FunctionStepConfig<Ctx>;

export interface StepResult<Data = unknown> {
  stepId: string;
  status: "completed" | "failed" | "skipped";
  data?: Data;
  error?: string;
}

export interface ArtifactOptions extends StepOptions {
  /** A file of the run's tree; or give `content`. */
  path?: string;
  content?: string;
  type?: ArtifactType;
  fileType?: FileType;
  mimeType?: string;
  metadata?: Record<string, unknown>;
}

export interface ArtifactResult {
  id: string;
  name: string;
  file_path: string;
  sha256: string;
  size_bytes: number;
  version: number;
}

export interface Git {
  /** Make the branch from the run's base, or switch to it. */
  ensureBranch(name: string, options?: StepOptions & { from?: string }): Promise<{ branch: string; created: boolean }>;
  getCurrentBranch(): Promise<string | null>;
  /** Commit `files` (everything when left out). Found again, not made again, when the step is repeated. */
  commit(
    message: string,
    options?: StepOptions & { files?: string[]; allowEmpty?: boolean },
  ): Promise<{ sha: string; created: boolean }>;
  push(options?: StepOptions & { remote?: string; branch?: string }): Promise<{ remote: string; branch: string; sha: string }>;
  createPr(
    options: StepOptions & { title: string; body?: string; base?: string; draft?: boolean },
  ): Promise<{ url: string; number: number; created: boolean }>;
  getCurrentCommit(): Promise<string>;
  stageAll(options?: StepOptions): Promise<{ files: string[] }>;
  status(): Promise<{ branch: string | null; clean: boolean; files: { path: string; status: string }[] }>;
}

/** Files of the run's tree, by paths relative to it; nothing outside it. */
export interface Files {
  read(path: string): Promise<string>;
  write(path: string, content: string, options?: StepOptions): Promise<{ path: string; bytes: number }>;
  exists(path: string): Promise<boolean>;
  delete(path: string, options?: StepOptions): Promise<{ path: string; deleted: boolean }>;
  list(path?: string, options?: { recursive?: boolean }): Promise<string[]>;
  copy(from: string, to: string, options?: StepOptions): Promise<{ from: string; to: string }>;
}

export type Log = ((text: string) => void) & Record<LogLevel, (text: string) => void>;

/** A branch of `ctx.parallel`: a function, or a promise that is under way. */
export type Branch<T> = (() => Promise<T>) | Promise<T>;

/** All that a workflow can do, and know of its run. */
export interface WorkflowContext<Input = unknown, Activities extends ActivityFunctions = Record<never, never>> {
  readonly runId: string;
  /** The run's own tree: a worktree of the project, unless the run was started `in_place`. */
  readonly projectPath: string;
  readonly project: { readonly id: string; readonly path: string };
  readonly input: Input;
  /** The same as `input`. */
  readonly args: Input;

  /**
   * A step around a function of this file. What it does by `ctx` are operations of this step: logged, not
   * steps of their own. A retry runs the function again.
   */
  run<T>(name: string, fn: () => Promise<T> | T, options?: StepOptions): Promise<T>;

  /** A step described by an object: an agent, a script or a function. */
  step<Data = unknown>(id: string, config: StepConfig<WorkflowContext<Input, Activities>>): Promise<StepResult<Data>>;

  /** A step of a coding agent (claude unless `provider` says otherwise). */
  agent(name: string, options: AgentOptions & { prompt: string; provider?: Agent["provider"] }): Promise<AgentResult>;
  agent(name: string, agent: Agent | Agent["provider"], prompt: string, options?: AgentOptions): Promise<AgentResult>;
  /** Another name for `agent`. */
  runCli(name: string, agent: Agent | Agent["provider"], prompt: string, options?: AgentOptions): Promise<AgentResult>;

  /**
   * Ask several agents the same at the same time. They share one tree, and only read. Gives all answers, by name; with the strategy
   * `race` or `majority` one answer, with whose it is. Nothing of them is at work any more when it returns.
   *
   * @throws {StepFailed} `output` is `{ answers, failures }`, both by name: where all are needed the type of the first that failed;
   *   `all_agents_failed` for a race without an answer; `no_majority`.
   */
  agents(name: string, prompt: string, options: PanelOptions & { strategy?: "all" }): Promise<PanelAnswers>;
  agents(name: string, prompt: string, options: PanelOptions & { strategy: "race" | "majority" }): Promise<PanelAnswer>;

  /**
   * Run a command by bash in the run's tree. Fails its step when it exits with another code than 0, unless
   * `allowFailure`.
   *
   * @throws {StepFailed} type `shell_failed`, `timed_out` or `idle_timed_out`; `output` is the `ExecResult`.
   */
  shell(command: string, options?: ShellOptions): Promise<ExecResult>;
  /** Another name for `shell`; a text as second argument is the `cwd`. */
  exec(command: string, options?: ShellOptions | string): Promise<ExecResult>;

  /**
   * Call a tool of one of the project's tool servers (`.agent/mcp.json`) or of a built-in one, by `server.tool`. Gives its
   * structured answer, or the JSON that its text is, or `{ text }`.
   *
   * @param options `timeout` is five minutes when it is left out.
   * @throws {StepFailed} type `tool_failed` when the tool says so, `output` its answer; `tool_unknown_server`, `tool_unknown`,
   *   `tool_invalid_params`, `tool_config_invalid` and `tool_server_failed` when nothing was called; `tool_server_lost`.
   */
  tool<Data = unknown>(name: string, params?: object, options?: StepOptions): Promise<Data>;

  readonly git: Git;
  readonly files: Files;

  /** This file's own exported `activities`, each call a step. Typed by `activityTypes`. */
  readonly activities: {
    [Name in keyof Activities]: (...args: Parameters<Activities[Name]>) => Promise<Awaited<ReturnType<Activities[Name]>>>;
  };
  /** The same with options. */
  activity<Name extends keyof Activities & string>(
    name: Name,
    args: Parameters<Activities[Name]>,
    options?: StepOptions,
  ): Promise<Awaited<ReturnType<Activities[Name]>>>;

  /** Keep a file with the run. */
  artifact(name: string, options: ArtifactOptions): Promise<ArtifactResult>;

  /** A comment on the current step, or on the step with the given key. */
  comment(text: string, stepIdOrMetadata?: string | Record<string, unknown>): Promise<void>;
  /** A comment on the run. */
  commentExecution(text: string, metadata?: Record<string, unknown>): Promise<void>;

  /** The run's own state: JSON values that survive everything and are shown with the run. */
  set(key: string, value: unknown): void;
  get<T = unknown>(key: string): T | undefined;
  has(key: string): boolean;
  delete(key: string): boolean;

  /** Mark this moment as a place to come back to. */
  checkpoint(label?: string): Promise<void>;
  /** The latest result of the step with this key; undefined when it has not finished. */
  getStepResult<Data = unknown>(stepId: string): StepResult<Data> | undefined;
  readonly log: Log;

  /** Wait, for milliseconds or a text such as `"2 hours"`. Survives everything, costs nothing meanwhile. */
  sleep(duration: number | string, options?: Pick<StepOptions, "name" | "phase">): Promise<void>;

  /**
   * Ask a person, and wait for the answer as long as it takes. Who answers first decides; a rejection is an answer too:
   * `approved` is false then. Survives everything, costs nothing meanwhile.
   *
   * @throws {StepFailed} type `approval_timed_out` when the deadline passes and there is no default; `not_interactive` at once, in a run that nobody attends.
   */
  approve<Fields extends z.ZodType = z.ZodType>(
    name: string,
    options: ApproveOptions<Fields>,
  ): Promise<Approval<z.input<Fields>>>;

  /**
   * Wait for an event that is sent to the run from outside, and give its payload. One that came before counts: the earliest of
   * this name that no step has taken. Survives everything, costs nothing meanwhile.
   *
   * @throws {StepFailed} type `event_timed_out` when none comes by the deadline.
   */
  waitForEvent<Payload = unknown>(event: string, options?: WaitForEventOptions): Promise<Payload>;

  /**
   * Run another workflow of this project, and give its output. A run of its own, that is paused, resumed and cancelled with this
   * one. A retry is a new run.
   *
   * @throws {StepFailed} type `child_failed` when it does not complete; `output` is `{ run_id, status, error }`.
   */
  child<Output = unknown>(workflow: string, input?: unknown, options?: ChildOptions): Promise<Output>;

  /**
   * Do several things at once. All end before it returns; then the first failure, if any, is thrown.
   * `limit`: how many at most at the same time (functions only).
   */
  parallel<T extends readonly Branch<unknown>[]>(
    branches: [...T],
    options?: { limit?: number },
  ): Promise<{ [I in keyof T]: T[I] extends Branch<infer R> ? R : never }>;
}
