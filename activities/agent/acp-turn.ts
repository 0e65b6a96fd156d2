import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Halt } from "../../contract/halt.js";
import { AcpConnection, METHOD_NOT_FOUND, RpcError } from "./acp-connection.js";
import { outcomeOf, PermissionAsked, permit } from "./acp-permit.js";
import type { AcpTelling } from "./acp-telling.js";
import type { PermissionDenial } from "./answer.js";
import { type AgentRequest, CONTINUE } from "./provider.js";
import type { SessionEntry } from "./session-file.js";
import type { Turn } from "./turn.js";

/** How long an agent may take to say that it is there, and to open a session: its servers start with that. Milliseconds. */
const HANDSHAKE_MS = 60_000;
/** How long the process may take to end by itself after its turn, and its output after the process. Milliseconds. */
const LINGER_MS = 1_000;

const PROTOCOL_VERSION = 1;

/** One turn over the Agent Client Protocol, before it is known how the agent is started and where it keeps its sessions. */
export interface AcpTalk {
  program: string;
  args: readonly string[];
  env: Record<string, string>;
  entry: SessionEntry;
  telling: AcpTelling;
  /** Filled while it goes on. */
  denials: PermissionDenial[];
  /** The same: what a person has to decide before it goes on. */
  halted: { halt?: Halt };
  /** The prompt, as the agent is to be told it. */
  prompt: string;
  /** Choose the model by the protocol. @default by how the agent was started */
  model?: string | undefined;
  /** The mode to put the session in, of those that the agent has. @default as it begins */
  mode?(modes: readonly string[]): string | undefined;
  /** What the agent calls itself. */
  met?(agent: { name: string; version: string }): void;
  /** Its session is known, and nothing has been asked of it yet. */
  began(sessionId: string): void;
  /** Each message, ours and the agent's. */
  line?(line: string): void;
}

/** How the agent says that its turn ended. */
export const Ended = z.looseObject({
  stopReason: z.string(),
  usage: z
    .looseObject({
      inputTokens: z.int(),
      outputTokens: z.int(),
      cachedReadTokens: z.int().nullish(),
      cachedWriteTokens: z.int().nullish(),
    })
    .nullish(),
  _meta: z
    .looseObject({
      quota: z.looseObject({ token_count: z.looseObject({ input_tokens: z.int(), output_tokens: z.int() }) }).optional(),
    })
    .nullish(),
});
export type Ended = z.infer<typeof Ended>;

const Initialized = z.looseObject({
  protocolVersion: z.int(),
  agentInfo: z.looseObject({ name: z.string(), version: z.string() }).nullish(),
  agentCapabilities: z.looseObject({ loadSession: z.boolean().default(false) }).default({ loadSession: false }),
});

const Opened = z.looseObject({
  sessionId: z.string().optional(),
  modes: z.looseObject({ currentModeId: z.string(), availableModes: z.array(z.looseObject({ id: z.string() })) }).nullish(),
  models: z
    .looseObject({ currentModelId: z.string(), availableModels: z.array(z.looseObject({ modelId: z.string() })) })
    .nullish(),
});
type Opened = z.infer<typeof Opened>;

const Anything = z.unknown();

/** Where the talk failed, when it was not in the turn itself: nothing has been asked of the model. */
export class AcpNotReadyError extends Error {
  override readonly name = "AcpNotReadyError";
}

/**
 * Start the agent, open its session and let it do the turn.
 *
 * @returns how it ended, by what the agent says: once more for each time that it ended its turn because something was denied.
 * @throws {RpcError} what the agent answers to the prompt; {AcpNotReadyError} before; {Error} when its process ends.
 */
export async function talk(request: AgentRequest, turn: Turn, talk: AcpTalk): Promise<Ended[]> {
  const { entry, telling } = talk;
  const child = spawn(talk.program, talk.args, { cwd: request.cwd, env: talk.env, stdio: "pipe", detached: true });
  if (child.pid !== undefined) turn.started(child.pid);
  let lastWords = "";
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line.trim() === "") return;
    lastWords = line;
    request.watch({ type: "stderr", text: `${line}\n` });
  });
  const connection = new AcpConnection(child.stdin, child.stdout, {
    asked: async (method, params) => {
      const answered = await answer(method, params, request, talk);
      if (talk.halted.halt) queueMicrotask(cancel); // behind the answer
      return answered;
    },
    told: (method, params) => {
      if (method === "session/update") telling.update(params);
    },
    ...(talk.line ? { line: talk.line } : {}),
  });
  const ended = new Promise<void>((resolve) => {
    const end = (why: string, cause?: unknown) => {
      connection.close(new Error(why, { cause }));
      resolve();
    };
    child.once("error", (error) => end(error.message, error));
    child.once("close", (code, signal) => end(lastWords || `Its process ended with ${signal ?? `exit code ${code}`}.`));
    // What it leaves behind may hold its output open; that is ended with the turn.
    child.once("exit", () => void sleep(LINGER_MS, undefined, { ref: false }).then(() => end(lastWords || "Its process ended.")));
  });

  let sessionId = "";
  const cancel = () => connection.notify("session/cancel", { sessionId });
  sessionId = await handshake(connection, request, talk);
  request.signal.addEventListener("abort", cancel, { once: true });
  try {
    const ask = (text: string) => connection.request("session/prompt", { sessionId, prompt: [{ type: "text", text }] }, Ended);
    const ends = [await ask(entry.mode === "continue" && !isUnheard(talk) ? (request.goOn ?? CONTINUE) : talk.prompt)];
    for (let told = 0; isStopped(ends) && talk.denials.length > told && !talk.halted.halt && !request.signal.aborted; ) {
      const news = talk.denials.slice(told);
      told = talk.denials.length;
      ends.push(await ask(afterDenial(news)));
    }
    return ends;
  } finally {
    request.signal.removeEventListener("abort", cancel);
    telling.end();
    child.stdin.end();
    await Promise.race([ended, sleep(LINGER_MS, undefined, { ref: false })]);
  }
}

function isStopped(ends: readonly Ended[]): boolean {
  return ends.at(-1)?.stopReason === "cancelled";
}

/** Some agents end their turn when something is denied, to be told what to do instead. */
function afterDenial(denials: readonly PermissionDenial[]): string {
  return `${denials.map(({ reason }) => reason).join("\n")}\nGo on without it, or say what you would have done.`;
}

/** @returns the session's id. */
async function handshake(connection: AcpConnection, { cwd, resume }: AgentRequest, talk: AcpTalk): Promise<string> {
  const { entry, telling, model, mode } = talk;
  const limit = sleep(HANDSHAKE_MS, undefined, { ref: false }).then(() => {
    throw new AcpNotReadyError(
      `It did not open a session in ${HANDSHAKE_MS / 1_000} s. Does it speak the Agent Client Protocol?`,
    );
  });
  limit.catch(() => {});
  const open = async () => {
    const { agentCapabilities, agentInfo } = await connection.request("initialize", HELLO, Initialized);
    if (agentInfo) talk.met?.(agentInfo);
    const session = { cwd, mcpServers: [] };
    if (entry.sessionId !== null && !agentCapabilities.loadSession) {
      const why = resume === undefined ? "was interrupted" : "was to go on";
      throw new AcpNotReadyError(`The session ${entry.sessionId} ${why}, and this agent cannot load sessions.`);
    }
    telling.isReplay = true;
    const opened =
      entry.sessionId === null
        ? await connection.request("session/new", session, Opened)
        : await connection.request("session/load", { ...session, sessionId: entry.sessionId }, Opened);
    const sessionId = entry.sessionId ?? opened.sessionId;
    if (sessionId === undefined) throw new AcpNotReadyError("It began a session without an id.");
    if (model !== undefined) await setModel(connection, sessionId, opened, model);
    await setMode(connection, sessionId, opened, mode);
    telling.isReplay = false;
    talk.began(sessionId);
    return sessionId;
  };
  try {
    return await Promise.race([open(), limit]);
  } catch (error) {
    if (error instanceof AcpNotReadyError) throw error;
    throw new AcpNotReadyError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const HELLO = {
  protocolVersion: PROTOCOL_VERSION,
  clientInfo: { name: "longhaul", version: "1" },
  clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
};

async function setModel(connection: AcpConnection, sessionId: string, { models }: Opened, model: string): Promise<void> {
  const known = models?.availableModels.map(({ modelId }) => modelId) ?? [];
  if (!known.includes(model)) {
    const offer = known.length > 0 ? `It offers ${known.join(", ")}.` : "It lets nobody choose one.";
    throw new AcpNotReadyError(`The agent has no model ${model}. ${offer}`);
  }
  await connection.request("session/set_model", { sessionId, modelId: model }, Anything);
}

/**
 * Also where it stays as it is, it is said: an agent that tells a loaded session's history behind its answer is through with
 * that when it answers this.
 */
async function setMode(connection: AcpConnection, sessionId: string, { modes }: Opened, choose: AcpTalk["mode"]): Promise<void> {
  if (!modes) return;
  const modeId = choose?.(modes.availableModes.map(({ id }) => id)) ?? modes.currentModeId;
  await connection.request("session/set_mode", { sessionId, modeId }, Anything);
}

/** A session that was cut off before its agent had written down what it was asked. */
function isUnheard({ telling, prompt }: AcpTalk): boolean {
  return telling.prompts.trim() !== "" && !telling.prompts.includes(prompt.trim());
}

/** What an agent is not allowed it does not tell of again: its result is that it was denied. */
async function answer(method: string, params: unknown, request: AgentRequest, talk: AcpTalk): Promise<unknown> {
  if (method !== "session/request_permission") throw new RpcError(METHOD_NOT_FOUND, `Longhaul does not have ${method}.`);
  const { telling, denials, halted } = talk;
  const asked = PermissionAsked.parse(params);
  const call = telling.call(asked.toolCall);
  if (halted.halt) return outcomeOf(asked, false);
  const permitted = await permit(call, request);
  if ("halt" in permitted) halted.halt = permitted.halt;
  if ("denial" in permitted) {
    denials.push(permitted.denial);
    request.watch({ type: "tool_result", id: call.toolCallId, output: permitted.denial.reason, isError: true });
  }
  return outcomeOf(asked, "allow" in permitted);
}
