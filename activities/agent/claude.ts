import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CanUseTool, Options, SDKMessage, SDKResultMessage } from "@anthropic-ai/claude-agent-sdk";
import type { Halt } from "../../contract/halt.js";
import type { Json } from "../../contract/json.js";
import type { AgentFailure, PermissionDenial } from "./answer.js";
import { readAnswer } from "./claude-answer.js";
import { claudeBinary } from "./claude-binary.js";
import { ClaudeBudget } from "./claude-budget.js";
import { CLAUDE_CREDENTIALS, claudeEnvironment } from "./claude-environment.js";
import { limitOf } from "./claude-limit.js";
import { writeServers } from "./claude-mcp.js";
import { ASK_TOOL, schemaOfQuestions, withAnswers } from "./claude-question.js";
import { promptsIn, totalIn, transcriptOf } from "./claude-transcript.js";
import { usageSince } from "./claude-usage.js";
import { haltedBy } from "./limit.js";
import { ASKED } from "./permit.js";
import { type AgentEnd, AgentNotInstalledError, type AgentProvider, type AgentRequest, CONTINUE } from "./provider.js";
import { enterSession, sessionIdFor } from "./session-file.js";
import { endEarlier, superviseTurn, wordsOf } from "./turn.js";

/** Tools that outlive the turn, or leave the run's tree. */
const WITHHELD = [
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

/** Claude Code by the Agent SDK. */
export const claude: AgentProvider = {
  name: "claude",
  credentials: CLAUDE_CREDENTIALS,
  address: "ANTHROPIC_BASE_URL",
  run: runClaude,
};

async function runClaude(request: AgentRequest): Promise<AgentEnd> {
  const binary = claudeBinary(request.binary);
  const { query } = await loadSdk();
  mkdirSync(join(request.configDir, "tmp"), { recursive: true, mode: 0o700 });
  await endEarlier(request);
  const transcript = (sessionId: string) => transcriptOf(request.configDir, sessionId);
  const { resume, fork = false } = request;
  const original = fork && resume !== undefined ? transcript(resume) : undefined;
  const entry = enterSession({
    file: request.sessionFile,
    lineage: request.lineage,
    resume,
    fork: fork ? { prompts: promptsIn(original), total: totalIn(original) } : undefined,
    sessionId: sessionIdFor(request.lineage),
    promptsIn: (sessionId) => promptsIn(transcript(sessionId)),
  });
  request.watch({ type: "session", sessionId: entry.sessionId, resumed: entry.mode !== "new" });

  const denials: PermissionDenial[] = [];
  const plan: { text?: string } = {};
  const halted: { halt?: Halt } = {};
  const servers = writeServers(request);
  let result: SDKResultMessage | undefined;
  const limits: SDKMessage[] = [];
  const budget = new ClaudeBudget(request.left, request.maxTurns);
  const { hooks: counting, ...limited } = budget.options;
  const { hooks: stopping, ...deciding } =
    request.permission === "bypassPermissions" ? {} : asking(request, { denials, plan, halted });
  const trouble = await superviseTurn(request, async ({ aborted, started }) => {
    const options: Options = {
      ...optionsOf(request),
      ...limited,
      ...deciding,
      hooks: { PostToolBatch: [...(counting?.PostToolBatch ?? []), ...(stopping?.PostToolBatch ?? [])] },
      ...(servers ? { extraArgs: servers.args } : {}),
      ...(entry.mode === "new" ? { sessionId: entry.sessionId } : { resume: entry.sessionId }),
      ...(entry.mode === "new" && resume !== undefined ? { resume, forkSession: true } : {}),
      pathToClaudeCodeExecutable: binary,
      abortController: aborted,
      stderr: (text) => request.watch({ type: "stderr", text }),
      spawnClaudeCodeProcess: ({ command, args, cwd, env }) => {
        const child = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
        child.stderr.setEncoding("utf8").on("data", (text: string) => request.watch({ type: "stderr", text }));
        if (child.pid !== undefined) started(child.pid);
        return child;
      },
    };
    for await (const message of query({
      prompt: entry.mode === "continue" ? (request.goOn ?? CONTINUE) : request.prompt,
      options,
    })) {
      if (message.type === "result") result = budget.told(message);
      if (message.type === "result" || message.type === "rate_limit_event") limits.push(message);
      budget.see(message);
      report(message, request.watch);
    }
  });
  servers?.remove();

  const written = transcript(entry.sessionId);
  const usage = usageSince(entry, written, result);
  const end = { sessionId: entry.sessionId, transcript: written ?? null, usage, permissionDenials: denials };
  const answer = result && readAnswer(result, request.schema);
  if (request.signal.aborted) return { ...end, status: "stopped", text: answer?.text ?? "", failure: null };
  if (halted.halt) return { ...end, status: "halted", halt: halted.halt, text: "", failure: null };
  if (!answer) {
    const failure: AgentFailure = { type: "agent_failed", message: `Claude Code ended without an answer: ${wordsOf(trouble)}` };
    return { ...end, status: "failed", text: "", failure };
  }
  const limit = limitOf(limits);
  if (limit) return { ...end, text: answer.text, ...haltedBy(limit) };
  const { spentUp } = budget;
  if (spentUp) return { ...end, text: answer.text, status: "failed", spentUp, failure: SPENT_UP };
  const text = plan.text === undefined ? answer.text : plan.text;
  return { ...end, ...answer, text, status: answer.failure ? "failed" : "completed" };
}

/** Until it is known whose budget it was. */
const SPENT_UP: AgentFailure = { type: "budget_exceeded", message: "What was left of a budget is spent." };

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
function optionsOf(request: AgentRequest): Options {
  const bypass = request.permission === "bypassPermissions";
  return {
    cwd: request.cwd,
    env: claudeEnvironment(process.env, {
      configDir: request.configDir,
      marks: request.marks,
      extra: request.env,
      rootMayBypass: bypass && process.getuid?.() === 0,
    }),
    settingSources: request.trustRepository ? ["project"] : [],
    strictMcpConfig: true,
    systemPrompt: {
      type: "preset",
      preset: "claude_code",
      ...(request.systemPrompt === undefined ? {} : { append: request.systemPrompt }),
    },
    permissionMode: request.permission,
    ...(bypass ? { allowDangerouslySkipPermissions: true } : {}),
    disallowedTools: request.attended ? WITHHELD : [ASK_TOOL, ...WITHHELD],
    includePartialMessages: true,
    verbatimPrompts: true,
    ...(request.model === undefined ? {} : { model: request.model }),
    ...(request.schema === undefined ? {} : { outputFormat: { type: "json_schema", schema: unnamed(request.schema) } }),
  };
}

/** Claude Code ends with exit code 1 when the schema says which kind of schema it is. */
function unnamed({ $schema: _, ...schema }: Record<string, unknown>): Record<string, unknown> {
  return schema;
}

/** What becomes of a turn's requests. */
interface Asked {
  denials: PermissionDenial[];
  plan: { text?: string };
  /** The first that a person has to decide. */
  halted: { halt?: Halt };
}

/**
 * What the mode does not allow is decided by the request's `permit`; what is refused is listed. When a person has to decide, the call is
 * answered so, the others of the same message are done or refused, and the turn ends before the model is asked again.
 */
function asking(request: AgentRequest, { denials, plan, halted }: Asked): Pick<Options, "canUseTool" | "hooks"> {
  const canUseTool: CanUseTool = async (tool, input, { description, decisionReason }) => {
    if (tool === "ExitPlanMode" && request.permission === "plan") {
      if (typeof input.plan === "string") plan.text = input.plan;
      return { behavior: "deny", message: "The plan is taken down and the work ends here. Answer with one closing sentence." };
    }
    if (halted.halt) return { behavior: "deny", message: ASKED };
    const question = tool === ASK_TOOL ? schemaOfQuestions(input) : undefined;
    const json = input as Json; // from the model
    const decided = await request.permit({ tool, input: json, reason: reasonOf(input, description, decisionReason), question });
    if ("allow" in decided)
      return { behavior: "allow", updatedInput: question && decided.fields ? withAnswers(input, decided.fields) : input };
    if ("halt" in decided) {
      halted.halt ??= decided.halt;
      return { behavior: "deny", message: ASKED };
    }
    if (!question) denials.push({ tool, input: json, reason: decided.deny });
    return { behavior: "deny", message: decided.deny };
  };
  const stop = async () => (halted.halt ? { continue: false, stopReason: ASKED } : {});
  return { canUseTool, hooks: { PostToolBatch: [{ hooks: [stop] }] } };
}

/** The agent's own remark on a command; else what Claude Code says of the call, unless that is but the file's name. */
function reasonOf(input: Record<string, unknown>, ...more: (string | undefined)[]): string | undefined {
  const [said] = [input.description, ...(typeof input.file_path === "string" ? more.slice(1) : more)].filter(Boolean);
  return typeof said === "string" ? said : undefined;
}

function report(message: SDKMessage, watch: AgentRequest["watch"]): void {
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
