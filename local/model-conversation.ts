import { z } from "zod";

const Block = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  name: z.string().optional(),
  content: z.unknown().optional(),
  is_error: z.boolean().optional(),
});
type Block = z.infer<typeof Block>;

const Text = z.union([z.string(), z.array(Block)]);

/** As much of a request to the Messages API as the script needs to see. */
export const MessagesRequest = z.looseObject({
  model: z.string().default("scripted"),
  stream: z.boolean().default(false),
  system: Text.default(""),
  messages: z.array(z.looseObject({ role: z.string(), content: Text })).default([]),
  tools: z.array(z.looseObject({ name: z.string().optional() })).default([]),
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;

/** What the client asked, and what it did since. */
export interface Exchange {
  prompt: string;
  /** Results of the tools called since this prompt, in order. */
  results: { text: string; isError: boolean }[];
}

/** A conversation as the script reads it. All there is to know comes with each request: the server keeps nothing. */
export interface Conversation {
  model: string;
  /** The system prompt, its parts one below the other. */
  system: string;
  /** The prompts of people, oldest first; what the client adds for the model alone is left out. */
  exchanges: Exchange[];
  /** What it may be told to call, by the names that the script has for tools. */
  tools: string[];
  /** All text of the request: prompts, and what the client tells the model besides. */
  text: string;
  /** The folder the client says it works in; empty when it does not say. */
  cwd: string;
}

/** Of a call that ended with its process, or that a signal ended, or that a person is asked about: the script makes it again. */
const INTERRUPTED = /^(\[Tool call interrupted|Exit code 1(37|43)\b|A person is asked whether)/;

export function readMessages(request: MessagesRequest): Conversation {
  const exchanges: Exchange[] = [];
  for (const message of request.messages) {
    if (message.role !== "user") continue;
    for (const block of blocks(message.content)) {
      if (block.type === "tool_result") {
        const text = plain(block.content);
        if (!INTERRUPTED.test(text)) exchanges.at(-1)?.results.push({ text, isError: block.is_error ?? false });
        continue;
      }
      const prompt = withoutReminders(block.text ?? "");
      if (prompt !== "") exchanges.push({ prompt, results: [] });
    }
  }
  const system = plain(request.system);
  const everything = [system, ...request.messages.map((message) => plain(message.content))].join("\n");
  return {
    model: request.model,
    system,
    exchanges,
    tools: request.tools.flatMap((tool) => tool.name ?? []),
    text: everything,
    cwd: /[Ww]orking directory: *([^\n<]+)/.exec(everything)?.[1]?.trim() ?? "",
  };
}

function blocks(content: z.infer<typeof Text>): Block[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function plain(content: unknown): string {
  const parsed = Text.safeParse(content);
  if (!parsed.success) return "";
  return blocks(parsed.data)
    .map((block) => block.text ?? "")
    .join("\n");
}

function withoutReminders(text: string): string {
  return text.replace(/<system-reminder>[\s\S]*?<\/system-reminder>/g, "").trim();
}
