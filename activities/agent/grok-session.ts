import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import type { AgentUsage } from "./answer.js";
import { NO_USAGE } from "./provider.js";

const Tokens = z.looseObject({
  inputTokens: z.int().default(0),
  outputTokens: z.int().default(0),
  cachedReadTokens: z.int().default(0),
  cacheCreationTokens: z.int().default(0),
  modelCalls: z.int().default(0),
  modelUsage: z.record(z.string(), z.unknown()).default({}),
});

/** The lines of a session's transcript that mean something to us: each is what clients are told. */
const Line = z.looseObject({
  params: z.looseObject({
    update: z.discriminatedUnion("sessionUpdate", [
      z.looseObject({ sessionUpdate: z.literal("user_message_chunk") }),
      z.looseObject({ sessionUpdate: z.literal("turn_completed"), usage: Tokens.nullish() }),
    ]),
  }),
});
type Update = z.infer<typeof Line>["params"]["update"];

/** The session's transcript (JSON lines), or undefined before its first line. */
export function transcriptOf(configDir: string, sessionId: string): string | undefined {
  if (!existsSync(configDir)) return undefined;
  const found = readdirSync(configDir, { recursive: true, encoding: "utf8" }).find((path) =>
    path.endsWith(join(sessionId, "updates.jsonl")),
  );
  return found === undefined ? undefined : join(configDir, found);
}

/** The folder that Grok Build has for the session. */
export function homeOf(configDir: string, sessionId: string): string | undefined {
  const file = transcriptOf(configDir, sessionId);
  const [name] = file === undefined ? [] : relative(configDir, file).split(sep);
  return name === undefined ? undefined : join(configDir, name);
}

/** How many prompts a session has had. */
export function promptsIn(file: string | undefined): number {
  return updatesOf(file).filter(({ sessionUpdate }) => sessionUpdate === "user_message_chunk").length;
}

/** What was used since a prompt came, by each turn that was over. @param promptsBefore how many prompts came earlier. */
export function usedSince(file: string | undefined, promptsBefore: number): AgentUsage {
  const usage: AgentUsage = { ...NO_USAGE, cost_usd: null };
  let prompts = 0;
  for (const update of updatesOf(file)) {
    if (update.sessionUpdate === "user_message_chunk") prompts++;
    else if (prompts > promptsBefore && update.usage) {
      usage.turns += update.usage.modelCalls;
      usage.input_tokens += update.usage.inputTokens;
      usage.output_tokens += update.usage.outputTokens;
      usage.cache_read_input_tokens += update.usage.cachedReadTokens;
      usage.cache_creation_input_tokens += update.usage.cacheCreationTokens;
      usage.model = Object.keys(update.usage.modelUsage)[0] ?? usage.model;
    }
  }
  return usage;
}

/** The last line may be cut off. */
function updatesOf(file: string | undefined): Update[] {
  if (file === undefined) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      if (!line.includes('"user_message_chunk"') && !line.includes('"turn_completed"')) return [];
      const read = Line.safeParse(parsed(line));
      return read.success ? [read.data.params.update] : [];
    });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
