import { readFileSync } from "node:fs";
import { z } from "zod";
import { type CodexUsage, parsed } from "./codex-events.js";

const NOTHING: CodexUsage = { input_tokens: 0, cached_input_tokens: 0, output_tokens: 0 };

const Usage = z.looseObject({
  input_tokens: z.int(),
  cached_input_tokens: z.int().default(0),
  output_tokens: z.int(),
});

const Limit = z.looseObject({ used_percent: z.number(), resets_at: z.number().nullable() });

const Line = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("turn_context"), payload: z.looseObject({ model: z.string() }) }),
  /** One answer of the model, written down as it comes. */
  z.looseObject({ type: z.literal("token_usage_record"), payload: z.looseObject({ response_id: z.string(), usage: Usage }) }),
  z.looseObject({
    type: z.literal("event_msg"),
    payload: z.looseObject({
      type: z.string(),
      item: z.looseObject({ type: z.string() }).optional(),
      info: z.looseObject({ total_token_usage: Usage }).nullish(),
      rate_limits: z.looseObject({ primary: Limit.nullish(), secondary: Limit.nullish() }).nullish().catch(null),
    }),
  }),
]);
type Line = z.infer<typeof Line>;

/** What a session's transcript says of one attempt. */
export interface Rollout {
  spent: CodexUsage;
  /** How often the model has answered; 0 where the transcript does not say it. */
  responses: number;
  model: string | null;
  /** How much of the account's limits was used when the API said it last. */
  limits: z.infer<typeof Limit>[];
}

/**
 * What was used since an attempt began, by all processes that have tried it: answer by answer, or, as earlier versions of Codex do
 * not write those down, by what the session's count has grown.
 *
 * @param promptsBefore how many prompts the session had then
 */
export function readRollout(file: string | null | undefined, promptsBefore: number): Rollout {
  const responses = new Map<string, CodexUsage>();
  let [before, after]: [CodexUsage, CodexUsage] = [NOTHING, NOTHING];
  let model: string | null = null;
  let limits: Rollout["limits"] = [];
  let prompts = 0;
  for (const line of linesOf(file)) {
    if (line.type === "turn_context") model = line.payload.model;
    else if (line.type === "token_usage_record") {
      if (prompts > promptsBefore) responses.set(line.payload.response_id, line.payload.usage);
    } else if (isPrompt(line)) {
      if (prompts++ === promptsBefore) before = after;
    } else {
      const { info, rate_limits } = line.payload;
      if (info) after = info.total_token_usage;
      if (rate_limits) limits = [rate_limits.primary, rate_limits.secondary].flatMap((limit) => limit ?? []);
    }
  }
  const grown = combined(after, before, (one, other) => one - other);
  const told = [...responses.values()].reduce((sum, each) => combined(sum, each, (one, other) => one + other), NOTHING);
  return { spent: responses.size > 0 ? told : grown, responses: responses.size, model, limits };
}

function combined(a: CodexUsage, b: CodexUsage, how: (one: number, other: number) => number): CodexUsage {
  return {
    input_tokens: how(a.input_tokens, b.input_tokens),
    cached_input_tokens: how(a.cached_input_tokens, b.cached_input_tokens),
    output_tokens: how(a.output_tokens, b.output_tokens),
  };
}

/** How many prompts a session has had. */
export function promptsIn(file: string | undefined): number {
  return linesOf(file).filter(isPrompt).length;
}

function isPrompt(line: Line): boolean {
  return line.type === "event_msg" && line.payload.type === "item_completed" && line.payload.item?.type === "UserMessage";
}

/** The lines that matter here; the last one may be cut off. */
function linesOf(file: string | null | undefined): Line[] {
  if (file === null || file === undefined) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      if (!/"(turn_context|event_msg|token_usage_record)"/.test(line.slice(0, 200))) return [];
      const read = Line.safeParse(parsed(line));
      return read.success ? [read.data] : [];
    });
}
