import { z } from "zod";
import type { Conversation, Exchange } from "./model-conversation.js";
import type { Move } from "./model-script.js";
import { type StreamEvent, tokensOf, type WireAnswer, type WireRequest } from "./model-wire.js";

const Part = z.looseObject({
  text: z.string().optional(),
  thought: z.boolean().optional(),
  functionResponse: z
    .looseObject({ name: z.string().default(""), response: z.record(z.string(), z.unknown()).default({}) })
    .optional(),
});
const Content = z.looseObject({ role: z.string().default("user"), parts: z.array(Part).default([]) });

/** As much of a request to `generateContent` as the script needs to see. */
const GoogleRequest = z.looseObject({
  contents: z.array(Content).default([]),
  systemInstruction: z.union([z.string().transform((text) => ({ parts: [{ text }] })), Content.partial()]).optional(),
  tools: z.array(z.looseObject({ functionDeclarations: z.array(z.looseObject({ name: z.string() })).default([]) })).default([]),
  generationConfig: z.looseObject({ responseJsonSchema: z.unknown().optional() }).default({}),
});
type GoogleRequest = z.infer<typeof GoogleRequest>;

/** What the client adds to prompts for the model alone. */
const ADDED = /<(session_context|environment_context|loaded_context|extension_context|project_context)>[\s\S]*?<\/\1>/g;

/** The script's tools are Claude Code's; these are what Gemini CLI calls its own. */
const TOOLS: Readonly<Record<string, string>> = { Write: "write_file", Edit: "replace", Bash: "run_shell_command" };

/** A request to Google's Gemini API; the path names the model, and says whether it streams. @throws {z.ZodError} */
export function googleRequest(body: string, path: string): WireRequest {
  const asked = GoogleRequest.parse(JSON.parse(body));
  const model = /models\/([^:/]+):/.exec(path)?.[1] ?? "scripted";
  return {
    model,
    stream: path.endsWith(":streamGenerateContent"),
    isAside: asked.generationConfig.responseJsonSchema !== undefined,
    conversation: readGoogle(asked, model),
    answer: (move) => new Answer(model, asAsked(move, asked), body.length),
    error: (status, message) => ({ error: { code: status, message, status: statusWord(status) } }),
  };
}

function readGoogle(request: GoogleRequest, model: string): Conversation {
  const exchanges: Exchange[] = [];
  for (const { role, parts } of request.contents) {
    if (role === "model") continue;
    for (const { text, functionResponse } of parts) {
      if (functionResponse) {
        const { response } = functionResponse;
        const error = typeof response.error === "string" ? response.error : undefined;
        exchanges.at(-1)?.results.push({ text: error ?? JSON.stringify(response), isError: error !== undefined });
      }
      const prompt = (text ?? "").replace(ADDED, "").trim();
      if (prompt !== "") exchanges.push({ prompt, results: [] });
    }
  }
  const offered = request.tools.flatMap(({ functionDeclarations }) => functionDeclarations.map(({ name }) => name));
  const system = plain(request.systemInstruction?.parts);
  const text = [system, ...request.contents.map(({ parts }) => plain(parts))].join("\n");
  return {
    model,
    system,
    exchanges,
    tools: [...offered, ...Object.keys(TOOLS).filter((name) => offered.includes(TOOLS[name] ?? ""))],
    text,
    cwd: /Workspace Directories:\**\s*- (\S[^\n]*)/.exec(text)?.[1]?.trim() ?? "",
  };
}

function plain(parts: readonly { text?: string | undefined }[] | undefined): string {
  return (parts ?? []).map(({ text }) => text ?? "").join("\n");
}

/** Gemini CLI asks besides which model is to answer, in a shape of its own: any answer of that shape does. */
function asAsked(move: Move, { generationConfig }: GoogleRequest): Move {
  if (generationConfig.responseJsonSchema === undefined) return move;
  return { say: JSON.stringify({ complexity_reasoning: "as the script says", complexity_score: 50 }) };
}

class Answer implements WireAnswer {
  constructor(
    readonly model: string,
    readonly move: Move,
    readonly inputBytes: number,
  ) {}

  whole() {
    return this.#chunk(this.#part(), { isLast: true });
  }

  start() {
    return undefined;
  }

  ping() {
    return undefined;
  }

  *rest(): Generator<StreamEvent> {
    if (!("say" in this.move)) return yield this.whole();
    const pieces = this.move.say.match(/\S+\s*/g) ?? [""];
    for (const [i, text] of pieces.entries()) yield this.#chunk({ text }, { isLast: i === pieces.length - 1 });
  }

  #part() {
    const { move } = this;
    if ("tool" in move) return { functionCall: { name: TOOLS[move.tool] ?? move.tool, args: move.input } };
    return { text: "say" in move ? move.say : "" };
  }

  #chunk(part: object, { isLast }: { isLast: boolean }) {
    const [promptTokenCount, candidatesTokenCount] = [tokensOf(this.inputBytes), tokensOf(JSON.stringify(this.move).length)];
    return {
      candidates: [{ index: 0, content: { role: "model", parts: [part] }, ...(isLast ? { finishReason: "STOP" } : {}) }],
      modelVersion: this.model,
      usageMetadata: { promptTokenCount, candidatesTokenCount, totalTokenCount: promptTokenCount + candidatesTokenCount },
    };
  }
}

function statusWord(status: number): string {
  const words: Record<number, string> = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
  };
  return words[status] ?? "INTERNAL";
}
