import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { objectIn } from "../../definition/answer.js";
import { type AgentFailure, type AgentUsage, checkData, firstLine } from "./answer.js";
import { codexBinary, codexVersion, versionWarning } from "./codex-binary.js";
import { CodexTelling, parsed } from "./codex-events.js";
import { CODEX_CREDENTIALS, type CodexTurn, prepareCodex, promptWith, rolloutOf } from "./codex-home.js";
import { limitOf } from "./codex-limit.js";
import { promptsIn, type Rollout, readRollout } from "./codex-rollout.js";
import { haltedBy } from "./limit.js";
import { type AgentEnd, type AgentProvider, type AgentRequest, CONTINUE, NO_USAGE, strangeSession } from "./provider.js";
import { enterSession, noteSession, type SessionEntry } from "./session-file.js";
import { endEarlier, superviseTurn, type Turn, wordsOf } from "./turn.js";

/** How long the process may take to end after its turn's last word, and its output after the process. */
const LINGER_MS = 5_000;

/** The user's own Codex, by `codex exec`. */
export const codex: AgentProvider = {
  name: "codex",
  credentials: CODEX_CREDENTIALS,
  address: "OPENAI_BASE_URL",
  run: runCodex,
};

async function runCodex(request: AgentRequest): Promise<AgentEnd> {
  const binary = codexBinary(request.binary);
  const warning = versionWarning(await codexVersion(binary));
  if (warning !== null) request.watch({ type: "warning", text: warning });
  await endEarlier(request);
  const entry = enterSession({
    file: request.sessionFile,
    lineage: request.lineage,
    resume: request.resume,
    fork: request.fork ? { prompts: 0 } : undefined, // a copy's transcript begins with what is its own
    sessionId: null,
    promptsIn: (id) => promptsIn(rolloutOf(request.configDir, id)),
  });
  const earlier = entry.sessionId ?? request.resume;
  if (earlier !== undefined && rolloutOf(request.configDir, earlier) === undefined) return strangeSession("Codex", earlier);

  let sessionId = entry.sessionId;
  const began = (id: string) => {
    sessionId = id;
    noteSession(request.sessionFile, request.lineage, id);
    request.watch({ type: "session", sessionId: id, resumed: entry.mode !== "new" });
  };
  const telling = new CodexTelling(request.watch, began);
  let lastWords = "";
  const trouble = await superviseTurn(request, async (turn) => {
    const prepared = prepareCodex(request, entry.sessionId);
    try {
      lastWords = await converse(request, { binary, turn, entry, telling, prepared });
    } finally {
      prepared.clear();
    }
  });

  const transcript = sessionId === null ? null : (rolloutOf(request.configDir, sessionId) ?? null);
  const rollout = readRollout(transcript, entry.promptsBefore);
  const usage = usageOf(rollout, telling);
  const end = { sessionId, transcript, text: telling.text, usage, permissionDenials: [] };
  if (request.signal.aborted) return { ...end, status: "stopped", failure: null };
  const limit = limitOf(telling.failure, rollout);
  if (limit) return { ...end, ...haltedBy(limit) };
  const failed = failureOf(telling, trouble, lastWords);
  if (failed) return { ...end, status: "failed", failure: failed };
  if (request.schema === undefined) return { ...end, status: "completed", failure: null };
  const data = objectIn(telling.text);
  const failure = checkData(data, request.schema);
  return { ...end, ...(data === undefined ? {} : { data }), status: failure ? "failed" : "completed", failure };
}

interface Talk {
  binary: string;
  turn: Turn;
  entry: SessionEntry;
  telling: CodexTelling;
  prepared: CodexTurn;
}

/** @returns the last line of its standard error. */
async function converse(request: AgentRequest, { binary, turn, entry, telling, prepared }: Talk): Promise<string> {
  const child = spawn(binary, prepared.args, { cwd: request.cwd, env: prepared.env, stdio: "pipe", detached: true });
  if (child.pid !== undefined) turn.started(child.pid);
  let lastWords = "";
  const over = new AbortController();
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
    // What it leaves behind may hold its output open; that is ended with the turn.
    child.once("exit", () => void linger(over.signal).then(resolve));
    createInterface({ input: child.stdout }).on("line", (line) => {
      try {
        telling.line(line);
      } catch (error) {
        reject(error); // its session could not be written down
      }
      if (telling.isOver) void linger(over.signal).then(resolve);
    });
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line === "" || line === "Reading prompt from stdin...") return;
    lastWords = line;
    request.watch({ type: "stderr", text: `${line}\n` });
  });
  child.stdin.on("error", () => {}); // it has ended without reading all of it, and says why
  child.stdin.end(promptWith(entry.mode === "continue" ? CONTINUE : request.prompt, request.schema));
  try {
    await ended;
  } finally {
    over.abort();
  }
  return lastWords;
}

async function linger(signal: AbortSignal): Promise<void> {
  await sleep(LINGER_MS, undefined, { signal }).catch(() => {});
}

/** By its events, never by its exit code. */
function failureOf(telling: CodexTelling, trouble: unknown, lastWords: string): AgentFailure | null {
  if (telling.failure !== undefined) return { type: "agent_api_error", message: apiError(telling.failure) };
  if (telling.usage !== undefined) return null; // its turn is complete
  const why = trouble === undefined ? lastWords || "it said nothing." : wordsOf(trouble);
  return { type: "agent_failed", message: `Codex ended without an answer: ${firstLine(why)}` };
}

function apiError(told: string): string {
  const text = ApiError.safeParse(parsed(told)).data?.error.message ?? told;
  const hint = /\b401\b|api key/i.test(text) ? " Set OPENAI_API_KEY or CODEX_API_KEY where Longhaul is started." : "";
  return `The model's API answered with an error: ${firstLine(text)}${hint}`;
}

/** Sometimes the whole body of the API's answer is told. */
const ApiError = z.looseObject({ error: z.looseObject({ message: z.string() }) });

/** By the transcript, as that knows of lost workers, too. */
function usageOf({ spent, responses, model }: Rollout, telling: CodexTelling): AgentUsage {
  return {
    ...NO_USAGE,
    cost_usd: null,
    input_tokens: spent.input_tokens,
    output_tokens: spent.output_tokens,
    cache_read_input_tokens: spent.cached_input_tokens,
    turns: responses || telling.answers,
    model,
  };
}
