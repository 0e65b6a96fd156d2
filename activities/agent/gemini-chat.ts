import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, renameSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { z } from "zod";
import type { AgentUsage } from "./answer.js";
import { NO_USAGE } from "./provider.js";

const Parts = z.union([
  z.string(),
  z.looseObject({ text: z.string().optional() }),
  z.array(z.looseObject({ text: z.string().optional() })),
]);

/** A message of a chat, as its file has it; one that grows is written again under its id. */
const Message = z.looseObject({
  id: z.string(),
  type: z.string(),
  content: Parts.optional(),
  model: z.string().optional(),
  tokens: z.looseObject({ input: z.int(), output: z.int(), cached: z.int().default(0), thoughts: z.int().default(0) }).nullish(),
});
type Message = z.infer<typeof Message>;

/** What Gemini CLI itself says first of all. */
const OWN = /^\s*<session_context>/;

const HEAD_BYTES = 4_096;

/** The session's transcript (JSON lines), or undefined before its first line. */
export function chatOf(configDir: string, sessionId: string): string | undefined {
  if (!existsSync(configDir)) return undefined;
  return readdirSync(configDir, { recursive: true, encoding: "utf8" })
    .toSorted() // the oldest first: those that are begun as a session is loaded stay empty
    .filter((path) => path.endsWith(`-${sessionId.slice(0, 8)}.jsonl`))
    .map((path) => join(configDir, path))
    .find((path) => headOf(path).includes(`"sessionId":"${sessionId}"`));
}

/** The folder that Gemini CLI has for the session: above its own `.gemini`. */
export function homeOf(configDir: string, sessionId: string): string | undefined {
  const chat = chatOf(configDir, sessionId);
  const [name] = chat === undefined ? [] : relative(configDir, chat).split(sep);
  return name === undefined ? undefined : join(configDir, name);
}

/**
 * Name a session's chat as if it were older, before it is loaded: Gemini CLI begins a new one of the same session as it loads one, and
 * in the same minute it writes over the chat that it is to load, as files are named by the minute.
 */
export function makeLoadable(configDir: string, sessionId: string): void {
  const chat = chatOf(configDir, sessionId);
  if (chat !== undefined) renameSync(chat, join(dirname(chat), `session-0000-00-00T00-00-${sessionId.slice(0, 8)}.jsonl`));
}

/** How many prompts a session has had; none before the model's first answer: Gemini CLI loads no session without one. */
export function promptsIn(file: string | undefined): number {
  const messages = messagesOf(file);
  return messages.some(({ type }) => type === "gemini") ? messages.filter(isPrompt).length : 0;
}

/** What was used since a prompt came, by each answer of the model. @param promptsBefore how many prompts came earlier. */
export function usedSince(file: string | undefined, promptsBefore: number): AgentUsage {
  const usage: AgentUsage = { ...NO_USAGE, cost_usd: null };
  let prompts = 0;
  for (const message of messagesOf(file)) {
    if (isPrompt(message)) prompts++;
    if (message.model !== undefined) usage.model = message.model;
    if (prompts <= promptsBefore || !message.tokens) continue;
    usage.turns++;
    usage.input_tokens += message.tokens.input;
    usage.output_tokens += message.tokens.output + message.tokens.thoughts;
    usage.cache_read_input_tokens += message.tokens.cached;
  }
  return usage;
}

function isPrompt({ type, content }: Message): boolean {
  const text = plain(content);
  return type === "user" && text.trim() !== "" && !OWN.test(text);
}

function plain(content: Message["content"]): string {
  if (typeof content === "string") return content;
  return [content ?? []]
    .flat()
    .map(({ text }) => text ?? "")
    .join("\n");
}

/** In their order, each as it was written last; the last line may be cut off. */
function messagesOf(file: string | undefined): Message[] {
  if (file === undefined) return [];
  const messages = new Map<string, Message>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const message = read(line);
    if (message) messages.set(message.id, message);
  }
  return [...messages.values()];
}

function read(line: string): Message | undefined {
  try {
    return Message.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function headOf(file: string): string {
  const handle = openSync(file, "r");
  const head = Buffer.alloc(HEAD_BYTES);
  const length = readSync(handle, head, 0, HEAD_BYTES, 0);
  closeSync(handle);
  return head.toString("utf8", 0, length);
}
