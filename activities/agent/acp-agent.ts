import { z } from "zod";
import { objectIn } from "../../definition/answer.js";
import { RpcError } from "./acp-connection.js";
import { AcpTelling } from "./acp-telling.js";
import { AcpNotReadyError, type AcpTalk, type Ended, talk } from "./acp-turn.js";
import { type AgentFailure, type AgentUsage, checkData, firstLine, withSchema } from "./answer.js";
import { type AgentEnd, type AgentRequest, strangeSession } from "./provider.js";
import { enterSession, noteSession } from "./session-file.js";
import { endEarlier, superviseTurn, wordsOf } from "./turn.js";

/** How a turn of one agent begins. */
export interface AcpStart extends Pick<AcpTalk, "program" | "args" | "env" | "met" | "model" | "mode" | "line"> {
  /** Its session is known: called before it is written down. */
  began?(sessionId: string): void;
}

/** What is an agent's own of those that speak the Agent Client Protocol. */
export interface AcpAgent {
  title: string;
  /** @param session to go on with; null for a new one. */
  start(request: AgentRequest, session: string | null): AcpStart;
  /** The session's transcript (JSON lines), or undefined before its first line. */
  transcriptOf(request: AgentRequest, sessionId: string): string | undefined;
  /** How many prompts a transcript holds. */
  promptsIn(transcript: string | undefined): number;
  /** What this attempt has used. @param promptsBefore how many prompts the session had when it began. */
  used(transcript: string | undefined, promptsBefore: number, ends: readonly Ended[]): AgentUsage;
  /** What to do when the model's API knows no key. */
  keyHint: string;
  /** Whether it learns from its session's first prompt whom it is to be, as there is no other way. @default false */
  tellsInPrompt?: boolean;
}

/** One turn, as `AgentProvider.run` promises it. */
export async function runAcp(request: AgentRequest, agent: AcpAgent): Promise<AgentEnd> {
  await endEarlier(request);
  const { sessionFile: file, lineage, resume } = request;
  const promptsIn = (id: string) => agent.promptsIn(agent.transcriptOf(request, id));
  const entry = enterSession({ file, lineage, resume, sessionId: null, promptsIn });
  if (entry.sessionId !== null && agent.transcriptOf(request, entry.sessionId) === undefined)
    return strangeSession(agent.title, entry.sessionId);

  let sessionId = entry.sessionId;
  let ends: Ended[] = [];
  const telling = new AcpTelling(request.watch);
  const denials: AgentEnd["permissionDenials"] = [];
  const halted: AcpTalk["halted"] = {};
  const trouble = await superviseTurn(request, async (turn) => {
    const start = agent.start(request, entry.sessionId);
    const began = (id: string) => {
      sessionId = id;
      start.began?.(id);
      noteSession(file, lineage, id);
      request.watch({ type: "session", sessionId: id, resumed: entry.mode !== "new" });
    };
    const whom = entry.mode === "new" && agent.tellsInPrompt ? request.systemPrompt : undefined;
    const prompt = withSchema(asText(whom === undefined ? request.prompt : `${whom}\n\n${request.prompt}`), request.schema);
    ends = await talk(request, turn, { ...start, entry, telling, denials, halted, prompt, began });
  });

  const transcript = sessionId === null ? undefined : agent.transcriptOf(request, sessionId);
  const used = agent.used(transcript, entry.promptsBefore, ends);
  const usage = used.turns === 0 ? { ...used, turns: telling.answers } : used;
  const end = { sessionId, transcript: transcript ?? null, text: telling.text, usage, permissionDenials: denials };
  if (request.signal.aborted) return { ...end, status: "stopped", failure: null };
  if (halted.halt) return { ...end, status: "halted", halt: halted.halt, failure: null };
  const failed = failureOf(agent, ends.at(-1), trouble, telling.text);
  if (failed) return { ...end, status: "failed", failure: failed };
  if (request.schema === undefined) return { ...end, status: "completed", failure: null };
  const data = objectIn(telling.text);
  const failure = checkData(data, request.schema);
  return { ...end, ...(data === undefined ? {} : { data }), status: failure ? "failed" : "completed", failure };
}

/** Of what may come from outside nothing is to be read as a command: agents take a first `/`, `$` or `?` for one. */
function asText(prompt: string): string {
  return /^\s*[/$?]/.test(prompt) ? `The task:\n${prompt}` : prompt;
}

/** By what the agent says, never by its exit code. */
function failureOf(agent: AcpAgent, ended: Ended | undefined, trouble: unknown, text: string): AgentFailure | null {
  const { title } = agent;
  if (trouble instanceof RpcError) return apiFailure(agent, trouble);
  if (trouble instanceof AcpNotReadyError && trouble.cause instanceof RpcError) return notReady(agent, trouble.cause);
  if (trouble instanceof AcpNotReadyError)
    return { type: "agent_failed", message: `${title} could not begin: ${firstLine(trouble.message)}` };
  if (ended === undefined)
    return { type: "agent_failed", message: `${title} ended without an answer: ${firstLine(wordsOf(trouble))}` };
  switch (ended.stopReason) {
    case "end_turn":
      if (text !== "") return null;
      return { type: "agent_failed", message: `${title} ended its turn without an answer.` };
    case "refusal":
      return { type: "agent_refused", message: `The model refused: ${firstLine(text)}` };
    case "max_turn_requests":
      return { type: "agent_max_turns", message: `The agent had not finished when its turns were used up.` };
    case "max_tokens":
      return { type: "agent_failed", message: `${title} ran out of tokens before it had finished.` };
    default:
      return { type: "agent_failed", message: `${title} ended its turn without an answer (${firstLine(ended.stopReason)}).` };
  }
}

const AUTH_REQUIRED = -32_000;

/** Agents tell the status of a model's API as the code of the error, beside its message, or in its words. */
function apiFailure({ title, keyHint }: AcpAgent, error: RpcError): AgentFailure {
  const text = firstLine(detailOf(error.data) ?? error.message);
  const status = statusOf(error) ?? Number(/\b[45]\d\d\b/.exec(text)?.[0] ?? 0);
  if (status === 0 && error.code !== AUTH_REQUIRED && !/\bAPI\b/.test(text)) {
    return { type: "agent_failed", message: `${title} failed: ${text}` };
  }
  const isAuth = status === 401 || error.code === AUTH_REQUIRED || /api.?key/i.test(text);
  return { type: "agent_api_error", message: `The model's API answered with an error: ${text}${isAuth ? ` ${keyHint}` : ""}` };
}

function statusOf({ code, data }: RpcError): number | undefined {
  return code >= 400 && code < 600 ? code : Detail.safeParse(data).data?.http_status;
}

function notReady({ title, keyHint }: AcpAgent, { code, message, data }: RpcError): AgentFailure {
  const hint = code === AUTH_REQUIRED ? ` ${keyHint}` : "";
  return { type: "agent_failed", message: `${title} could not open its session: ${firstLine(detailOf(data) ?? message)}${hint}` };
}

const Detail = z.looseObject({
  details: z.string().optional(),
  message: z.string().optional(),
  http_status: z.int().optional(),
});

function detailOf(data: unknown): string | undefined {
  if (typeof data === "string") return data;
  const detail = Detail.safeParse(data).data;
  return detail?.details ?? detail?.message;
}
