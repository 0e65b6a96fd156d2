import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { NOTHING, type Spent } from "./spent.js";

/** One answer of the model. */
export interface Answer {
  id: string;
  model: string;
  /** Its tokens; what it cost is not told. */
  spent: Spent;
}

/** What a line of a transcript means to us. */
export type Entry = { prompt: true } | { answer: Answer } | { total: Spent };

/** A process's last word: what its session has spent, earlier processes included. */
const CostState = z.looseObject({
  totalCostUSD: z.number(),
  modelUsage: z.record(
    z.string(),
    z.looseObject({
      inputTokens: z.number(),
      outputTokens: z.number(),
      cacheReadInputTokens: z.number(),
      cacheCreationInputTokens: z.number(),
    }),
  ),
});
export type CostState = z.infer<typeof CostState>;

const tokens = z.number().nullish();
const Message = z.looseObject({
  message: z.looseObject({
    id: z.string(),
    model: z.string(),
    usage: z.looseObject({
      input_tokens: tokens,
      output_tokens: tokens,
      cache_read_input_tokens: tokens,
      cache_creation_input_tokens: tokens,
    }),
  }),
});

/** Of an answer that no model has given, such as an error's. */
const SYNTHETIC = "<synthetic>";

/** The session's transcript (JSON lines), or undefined before its first line. */
export function transcriptOf(configDir: string, sessionId: string): string | undefined {
  const projects = join(configDir, "projects");
  if (!existsSync(projects)) return undefined;
  return readdirSync(projects)
    .map((folder) => join(projects, folder, `${sessionId}.jsonl`))
    .find((path) => existsSync(path));
}

/** What there is in a transcript, in its order. An answer of several parts has several entries of the same id. */
export function readTranscript(file: string | undefined): Entry[] {
  return file === undefined ? [] : readFileSync(file, "utf8").split("\n").flatMap(entryOf);
}

export function promptsIn(file: string | undefined): number {
  return readTranscript(file).filter((entry) => "prompt" in entry).length;
}

/** What the session's count stands at. */
export function totalIn(file: string | undefined): Spent {
  return readTranscript(file).reduce((total, entry) => ("total" in entry ? entry.total : total), NOTHING);
}

function entryOf(line: string): Entry[] {
  if (line.includes('"type":"user"')) return isPrompt(line) ? [{ prompt: true }] : [];
  if (line.includes('"type":"cost-state"')) {
    const state = CostState.safeParse(parsed(line)).data;
    return state ? [{ total: spentBy(state) }] : [];
  }
  const message = line.includes('"type":"assistant"') ? Message.safeParse(parsed(line)).data?.message : undefined;
  if (!message || message.model === SYNTHETIC) return [];
  const { id, model, usage } = message;
  const spent = {
    input_tokens: usage.input_tokens ?? 0,
    output_tokens: usage.output_tokens ?? 0,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
    cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
    cost_usd: 0,
  };
  return [{ answer: { id, model, spent } }];
}

/** Of what the user is made to say, results of tools and what Claude Code adds by itself are no prompts. */
const NO_PROMPT = ['"tool_result"', '"isMeta":true', '"isCompactSummary":true'];

function isPrompt(line: string): boolean {
  return line.includes('"promptId"') && !NO_PROMPT.some((word) => line.includes(word));
}

export function spentBy({ totalCostUSD, modelUsage }: CostState): Spent {
  const models = Object.values(modelUsage);
  const sum = (pick: (usage: (typeof models)[number]) => number) => models.reduce((total, usage) => total + pick(usage), 0);
  return {
    input_tokens: sum((usage) => usage.inputTokens),
    output_tokens: sum((usage) => usage.outputTokens),
    cache_read_input_tokens: sum((usage) => usage.cacheReadInputTokens),
    cache_creation_input_tokens: sum((usage) => usage.cacheCreationInputTokens),
    cost_usd: totalCostUSD,
  };
}

/** Undefined for a line that is cut off. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
