import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CanUseTool, Options, SDKMessage, SDKResultMessage } from "@anthropic-ai/claude-agent-sdk";
import type { Json } from "../../contract/json.js";
import { guard } from "../launcher.js";
import type { Marks } from "../marks.js";
import { recordStart, sweep } from "../sweep.js";
import { type AgentFailure, type AgentUsage, type PermissionDenial, readAnswer } from "./answer.js";
import { AgentNotInstalledError, claudeBinary } from "./claude-binary.js";
import { claudeEnvironment } from "./environment.js";
import { enterSession, transcriptOf } from "./session-file.js";

export type Permission = "default" | "plan" | "acceptEdits" | "bypassPermissions";

export interface ClaudeRequest {
  prompt: string;
  /** The run's tree. */
  cwd: string;
  permission: Permission;
  model?: string | undefined;
  /** Added to Claude Code's own. */
  systemPrompt?: string | undefined;
  maxTurns?: number | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  /** JSON schema of the answer. */
  schema?: Record<string, unknown> | undefined;
  /** An earlier session of this run to go on with. */
  resume?: string | undefined;

  /** Claude Code's folder for this run: settings and transcripts, outside the tree. */
  configDir: string;
  /** Where the session of this step is written down. */
  sessionFile: string;
  /** Names this attempt, the same for every worker that tries it. */
  lineage: string;
  /** What all processes of this attempt, and no others, carry. */
  marks: Marks & Record<string, string>;
  /** The `claude` binary to use instead of the SDK's. */
  binary?: string | undefined;
  /** Stops the agent and all its children. */
  signal: AbortSignal;
  /** Told of each thing as it happens. */
  watch(event: AgentEvent): void;
}

export type AgentEvent =
  | { type: "session"; sessionId: string; resumed: boolean }
  | { type: "text"; text: string }
  | { type: "tool"; id: string; tool: string; input: Json }
  | { type: "tool_result"; id: string; output: string; isError: boolean }
  | { type: "stderr"; text: string }
  /** Something arrived; for idle timeouts. */
  | { type: "alive" };

export interface ClaudeEnd {
  sessionId: string;
  /** The transcript's file, absolute; null when it never began. */
  transcript: string | null;
  /** `stopped`: by the signal. */
  status: "completed" | "failed" | "stopped";
  text: string;
  data?: unknown;
  usage: AgentUsage;
  permissionDenials: PermissionDenial[];
  failure: AgentFailure | null;
}

/** What an interrupted session is told: its first prompt is there already, and so are the effects of its tools. */
const CONTINUE =
  "Continue where you left off. You were interrupted; what you have already done is still there. " +
  "If you had finished, give your final answer again.";

/** Tools that wait for a person, outlive the turn, or leave the run's tree. */
const WITHHELD = [
  "AskUserQuestion",
  "CronCreate",
  "CronDelete",
  "CronList",
  "EnterPlanMode",
  "EnterWorktree",
  "ExitWorktree",
  "ListAgents",
  "ScheduleWakeup",
  "SendMessage",
];

/** Milliseconds between TERM and KILL. */
const GRACE_MS = 3_000;

/**
 * One turn of Claude Code in a run's tree, as a real process in a group of its own.
 *
 * Called again with the same lineage after its worker died, it goes on in the same session. How it went is in
 * the result, whatever the process's exit code was; it throws for nothing that the agent or the model did.
 *
 * @throws {AgentNotInstalledError}
 */
export async function runClaude(request: ClaudeRequest): Promise<ClaudeEnd> {
  const binary = claudeBinary(request.binary);
  const { query } = await loadSdk();
  mkdirSync(join(request.configDir, "tmp"), { recursive: true, mode: 0o700 });
  const { LONGHAUL_ATTEMPT: _, ...own } = request.marks;
  await sweep(own, GRACE_MS); // a lost worker's agent may still be at work in the session
  const entry = enterSession({
    file: request.sessionFile,
    lineage: request.lineage,
    configDir: request.configDir,
    resume: request.resume,
  });
  request.watch({ type: "session", sessionId: entry.sessionId, resumed: entry.mode !== "new" });

  const denials: PermissionDenial[] = [];
  const plan: { text?: string } = {};
  const aborted = new AbortController();
  let record: { ended(): void } | undefined;
  let letGo = () => {};
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped = sweep(own, GRACE_MS).then(
      () => aborted.abort(),
      () => aborted.abort(),
    );
  };
  request.signal.addEventListener("abort", stop, { once: true });
  let result: SDKResultMessage | undefined;
  let trouble: unknown;
  try {
    request.signal.throwIfAborted();
    const options: Options = {
      ...optionsOf(request),
      ...(entry.mode === "new" ? { sessionId: entry.sessionId } : { resume: entry.sessionId }),
      pathToClaudeCodeExecutable: binary,
      abortController: aborted,
      ...(request.permission === "bypassPermissions" ? {} : { canUseTool: decide(request.permission, denials, plan) }),
      stderr: (text) => request.watch({ type: "stderr", text }),
      spawnClaudeCodeProcess: ({ command, args, cwd, env }) => {
        const child = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
        child.stderr.setEncoding("utf8").on("data", (text: string) => request.watch({ type: "stderr", text }));
        if (child.pid !== undefined) {
          record = recordStart(request.marks, child.pid);
          letGo = guard({ leader: child.pid, marks: own });
        }
        return child;
      },
    };
    for await (const message of query({ prompt: entry.mode === "continue" ? CONTINUE : request.prompt, options })) {
      if (message.type === "result") result = message;
      report(message, request.watch);
    }
  } catch (error) {
    trouble = error;
  } finally {
    request.signal.removeEventListener("abort", stop);
    await stopped; // it would take the next turn's processes for ours
    await sweep(own, GRACE_MS); // what an agent started does not outlive its turn
    record?.ended();
    letGo();
  }

  const transcript = transcriptOf(request.configDir, entry.sessionId) ?? null;
  const end = { sessionId: entry.sessionId, transcript, permissionDenials: denials };
  const answer = result && readAnswer(result, request.schema);
  if (request.signal.aborted) {
    return { ...end, status: "stopped", text: answer?.text ?? "", usage: answer?.usage ?? NO_USAGE, failure: null };
  }
  if (!answer) {
    const failure: AgentFailure = { type: "agent_failed", message: `Claude Code ended without an answer: ${wordsOf(trouble)}` };
    return { ...end, status: "failed", text: "", usage: NO_USAGE, failure };
  }
  const text = plan.text === undefined ? answer.text : plan.text;
  return { ...end, ...answer, text, status: answer.failure ? "failed" : "completed" };
}

const NO_USAGE: AgentUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  cost_usd: 0,
  turns: 0,
  model: null,
};

/** Loaded when the first agent runs: a worker without agents does not pay for it. */
async function loadSdk() {
  try {
    return await import("@anthropic-ai/claude-agent-sdk");
  } catch (cause) {
    throw new AgentNotInstalledError(
      "The package @anthropic-ai/claude-agent-sdk is missing. Install Longhaul's dependencies again.",
      {
        cause,
      },
    );
  }
}

/**
 * The prompt is not among them: it goes by standard input, where it cannot be read as an option. Nor is it read as a command (`/clear`)
 * or for names of files (`@path`): much of it may come from outside.
 */
function optionsOf(request: ClaudeRequest): Options {
  const bypass = request.permission === "bypassPermissions";
  return {
    cwd: request.cwd,
    env: claudeEnvironment(process.env, {
      configDir: request.configDir,
      marks: request.marks,
      extra: request.env,
      rootMayBypass: bypass && process.getuid?.() === 0,
    }),
    settingSources: [],
    strictMcpConfig: true,
    systemPrompt: {
      type: "preset",
      preset: "claude_code",
      ...(request.systemPrompt === undefined ? {} : { append: request.systemPrompt }),
    },
    permissionMode: request.permission,
    ...(bypass ? { allowDangerouslySkipPermissions: true } : {}),
    disallowedTools: WITHHELD,
    includePartialMessages: true,
    verbatimPrompts: true,
    ...(request.model === undefined ? {} : { model: request.model }),
    ...(request.maxTurns === undefined ? {} : { maxTurns: request.maxTurns }),
    ...(request.schema === undefined ? {} : { outputFormat: { type: "json_schema", schema: unnamed(request.schema) } }),
  };
}

/** Claude Code ends with exit code 1 when the schema says which kind of schema it is. */
function unnamed({ $schema: _, ...schema }: Record<string, unknown>): Record<string, unknown> {
  return schema;
}

/** Nobody is there to be asked: what the mode does not allow is refused, with the reason, and listed. */
function decide(permission: Permission, denials: PermissionDenial[], plan: { text?: string }): CanUseTool {
  return async (tool, input) => {
    if (tool === "ExitPlanMode" && permission === "plan") {
      if (typeof input.plan === "string") plan.text = input.plan;
      return { behavior: "deny", message: "The plan is taken down and the work ends here. Answer with one closing sentence." };
    }
    const reason =
      permission === "plan"
        ? `${tool} may change something, and this step only plans.`
        : `${tool} needs a person's consent in the mode "${permission}", and nobody can be asked while the run goes on. Do without it, or say what you would have done.`;
    denials.push({ tool, input: input as Json, reason });
    return { behavior: "deny", message: reason };
  };
}

function report(message: SDKMessage, watch: ClaudeRequest["watch"]): void {
  watch({ type: "alive" });
  if (message.type === "assistant") {
    for (const block of message.message.content) {
      if (block.type === "text" && block.text !== "") watch({ type: "text", text: block.text });
      if (block.type === "tool_use") watch({ type: "tool", id: block.id, tool: block.name, input: block.input as Json });
    }
  }
  if (message.type === "user" && Array.isArray(message.message.content)) {
    for (const block of message.message.content) {
      if (block.type !== "tool_result") continue;
      watch({ type: "tool_result", id: block.tool_use_id, output: plain(block.content), isError: block.is_error ?? false });
    }
  }
}

function plain(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: { text?: unknown }) => (typeof part.text === "string" ? part.text : "")).join("\n");
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 1_000) : "it said nothing.";
}
