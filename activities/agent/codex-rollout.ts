import { readFileSync } from "node:fs";
import { z } from "zod";
import { type CodexUsage, parsed } from "./codex-events.js";

const NOTHING: CodexUsage = { input_tokens: 0, cached_input_tokens: 0, output_tokens: 0 };

const Line = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("turn_context"), payload: z.looseObject({ model: z.string() }) }),
  z.looseObject({
    type: z.literal("event_msg"),
    payload: z.looseObject({
      type: z.string(),
      item: z.looseObject({ type: z.string() }).optional(),
      info: z
        .looseObject({
          total_token_usage: z.looseObject({
            input_tokens: z.int(),
            cached_input_tokens: z.int().default(0),
            output_tokens: z.int(),
          }),
        })
        .nullish(),
    }),
  }),
]);
type Line = z.infer<typeof Line>;

/** What a session's transcript says of tokens, over all turns. */
export interface Rollout {
  /** When the prompt of this attempt came. */
  before: CodexUsage;
  after: CodexUsage;
  model: string | null;
}

/** @param promptsBefore how many prompts the session had when this attempt began. */
export function readRollout(file: string | null | undefined, promptsBefore: number): Rollout {
  const rollout: Rollout = { before: NOTHING, after: NOTHING, model: null };
  let prompts = 0;
  for (const line of linesOf(file)) {
    if (line.type === "turn_context") rollout.model = line.payload.model;
    else if (isPrompt(line)) {
      if (prompts++ === promptsBefore) rollout.before = rollout.after;
    } else if (line.payload.info) rollout.after = line.payload.info.total_token_usage;
  }
  return rollout;
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
      if (!line.includes('"turn_context"') && !line.includes('"event_msg"')) return [];
      const read = Line.safeParse(parsed(line));
      return read.success ? [read.data] : [];
    });
}
