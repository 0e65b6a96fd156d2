import { z } from "zod";
import type { Conversation, Exchange } from "./model-conversation.js";
import type { Move } from "./model-script.js";
import { type StreamEvent, tokensOf, type WireAnswer, type WireRequest } from "./model-wire.js";

const Content = z.union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))]);

interface Tool {
  type: string;
  name?: string | undefined;
  /** Of a namespace. */
  tools?: Tool[] | undefined;
}
const Tool: z.ZodType<Tool> = z.lazy(() =>
  z.looseObject({ type: z.string(), name: z.string().optional(), tools: z.array(Tool).optional() }),
);

/** As much of a request to the Responses API as the script needs to see. */
const ResponsesRequest = z.looseObject({
  model: z.string().default("scripted"),
  stream: z.boolean().default(false),
  instructions: z.string().nullish(),
  input: z
    .union([
      z.string().transform((text) => [{ type: "message", role: "user", content: text, output: undefined, tools: undefined }]),
      z.array(
        z.looseObject({
          type: z.string().default("message"),
          role: z.string().optional(),
          content: Content.nullish(),
          output: z.unknown().optional(),
          tools: z.array(Tool).optional(),
        }),
      ),
    ])
    .default([]),
  tools: z.array(Tool).default([]),
  tool_choice: z.unknown().optional(),
});
type ResponsesRequest = z.infer<typeof ResponsesRequest>;

/** What the client adds to prompts for the model alone. */
const ADDED =
  /<(environment_context|user_instructions|permissions instructions|turn_aborted|skills_instructions|user_info|rules|system-reminder)>[\s\S]*?<\/\1>/g;

/** Grok Build's marks around what a person has said. */
const WRAPPED = /<\/?user_query>/g;

/** What Codex and Grok Build say of a call that ended with its process: the script makes it again. */
const INTERRUPTED = /^(aborted\b|Tool execution was cancelled)/;

/** The script's tools are Claude Code's; these are what Grok Build calls its own. */
const GROK_TOOLS: Readonly<Record<string, string>> = { Write: "write", Edit: "search_replace", Bash: "run_terminal_command" };

/** How long Codex may wait for a command before it asks the model what to do meanwhile. */
const PATIENCE_MS = 30_000;

/** A request to OpenAI's Responses API. @throws {z.ZodError} */
export function responsesRequest(body: string): WireRequest {
  const asked = ResponsesRequest.parse(JSON.parse(body));
  return {
    model: asked.model,
    stream: asked.stream,
    isAside: typeof asked.tool_choice === "object", // Grok Build asks besides what to call the session
    conversation: readResponses(asked),
    answer: (move) => new Response(asked, move, body.length),
    error: (_status, message) => ({ error: { type: "server_error", code: null, message } }),
    limit: (until) => ({
      headers: {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": String(until),
      },
      body: { error: { type: "usage_limit_reached", message: "The usage limit has been reached", resets_at: until } },
    }),
  };
}

function readResponses(request: ResponsesRequest): Conversation {
  const exchanges: Exchange[] = [];
  for (const item of request.input) {
    if (item.role === "user") {
      const prompt = plain(item.content).replace(ADDED, "").replace(WRAPPED, "").trim();
      if (prompt !== "") exchanges.push({ prompt, results: [] });
    }
    if (item.type.endsWith("_call_output")) {
      const text = typeof item.output === "string" ? item.output : plain(item.output);
      if (!INTERRUPTED.test(text)) exchanges.at(-1)?.results.push({ text, isError: false });
    }
  }
  const everything = [request.instructions, ...request.input.map(({ content }) => plain(content))].join("\n");
  const told = request.input.filter(({ role }) => role === "developer" || role === "system");
  const offered = toolsOf(request);
  return {
    model: request.model,
    system: [request.instructions, ...told.map(({ content }) => plain(content))].join("\n"),
    exchanges,
    tools: [...offered, ...Object.keys(GROK_TOOLS).filter((name) => isOffered(name, offered)), ...deferred(everything)],
    text: everything,
    cwd: /(?:<cwd>|Workspace Path: )([^<\n]+)/.exec(everything)?.[1]?.trim() ?? "",
  };
}

/** Servers whose tools are named nowhere, and can be called from JavaScript: `mcp__github__*`. */
function deferred(text: string): string[] {
  const [, listed = ""] = /Deferred tool namespaces:\n([\s\S]*?)<\/tools>/.exec(text) ?? [];
  return [...listed.matchAll(/^- (mcp__[\w-]+)/gm)].map(([, namespace]) => `${namespace}__*`);
}

/** Whether there is one of the client's tools for one of the script's: Codex has its shell for all of them. */
function isOffered(name: string, offered: readonly string[]): boolean {
  return ["exec", "exec_command", GROK_TOOLS[name] ?? name].some((each) => offered.includes(each));
}

/** Names of all tools, wherever the request has them. */
function toolsOf({ tools, input }: ResponsesRequest): string[] {
  const names = (each: readonly Tool[]): string[] => each.flatMap((tool) => [tool.name ?? [], names(tool.tools ?? [])].flat());
  return names([...tools, ...input.flatMap((item) => item.tools ?? [])]);
}

function plain(content: unknown): string {
  const parsed = Content.safeParse(content);
  if (!parsed.success) return "";
  if (typeof parsed.data === "string") return parsed.data;
  return parsed.data.map(({ text }) => text ?? "").join("\n");
}

class Response implements WireAnswer {
  readonly #id = crypto.randomUUID().replaceAll("-", "");
  readonly #head: Record<string, unknown>;
  readonly #item: Record<string, unknown>;
  #sent = 0;

  constructor(
    request: ResponsesRequest,
    readonly move: Move,
    readonly inputBytes: number,
  ) {
    this.#head = { id: `resp_${this.#id}`, object: "response", created_at: Math.floor(Date.now() / 1_000), model: request.model };
    this.#item = itemOf(move, this.#id, request);
  }

  whole() {
    const { input, output } = this.move.usage ?? {
      input: tokensOf(this.inputBytes),
      output: tokensOf(JSON.stringify(this.move).length),
    };
    return {
      ...this.#head,
      status: "completed",
      output: [this.#item],
      usage: {
        input_tokens: input,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: output,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: input + output,
      },
    };
  }

  start(): StreamEvent {
    return this.#event({ type: "response.created", response: { ...this.#head, status: "in_progress", output: [] } });
  }

  ping(): StreamEvent {
    return this.#event({ type: "response.in_progress", response: { ...this.#head, status: "in_progress", output: [] } });
  }

  /** Some clients take no event without its number. */
  #event(event: StreamEvent): StreamEvent {
    return { ...event, sequence_number: this.#sent++ };
  }

  *rest(): Generator<StreamEvent> {
    const item = this.#item;
    if (item.type !== "message") {
      yield this.#event({ type: "response.output_item.added", output_index: 0, item });
    } else {
      yield this.#event({
        type: "response.output_item.added",
        output_index: 0,
        item: { ...item, content: [], status: "in_progress" },
      });
      const text = "say" in this.move ? this.move.say : "";
      for (const piece of text.match(/\S+\s*/g) ?? []) {
        yield this.#event({
          type: "response.output_text.delta",
          item_id: item.id,
          output_index: 0,
          content_index: 0,
          delta: piece,
        });
      }
    }
    yield this.#event({ type: "response.output_item.done", output_index: 0, item });
    yield this.#event({ type: "response.completed", response: this.whole() });
  }
}

/**
 * A move as an item of the answer. The script's tools are Claude Code's: Codex has a shell for all of them, which older models
 * call as a function and newer ones from a line of JavaScript.
 */
function itemOf(move: Move, id: string, request: ResponsesRequest): Record<string, unknown> {
  if (!("tool" in move)) {
    const content = [{ type: "output_text", text: "say" in move ? move.say : "", annotations: [] }];
    return { type: "message", id: `msg_${id}`, role: "assistant", status: "completed", content };
  }
  const offered = toolsOf(request);
  if (move.tool.startsWith("mcp__"))
    return scriptItem(id, callScript(move.tool.replaceAll(/[^\w$]/g, "_"), move.input, "result"));
  const asIs = offered.includes(move.tool);
  const grok = GROK_TOOLS[move.tool];
  if (grok !== undefined && offered.includes(grok)) return functionCall(id, grok, move.input);
  const [name, input] = asIs ? [move.tool, move.input] : ["exec_command", { cmd: commandFor(move.tool, move.input) }];
  if (!offered.includes(name)) {
    return scriptItem(id, callScript("exec_command", { ...input, yield_time_ms: PATIENCE_MS }, "result.output"));
  }
  return functionCall(id, name, input);
}

function functionCall(id: string, name: string, input: unknown): Record<string, unknown> {
  return {
    type: "function_call",
    id: `fc_${id}`,
    call_id: `call_${id}`,
    name,
    arguments: JSON.stringify(input),
    status: "completed",
  };
}

function callScript(tool: string, input: object, said: string): string {
  return `const result = await tools.${tool}(${JSON.stringify(input)}); text(${said});`;
}

function scriptItem(id: string, script: string): Record<string, unknown> {
  return { type: "custom_tool_call", id: `ctc_${id}`, call_id: `call_${id}`, name: "exec", input: script, status: "completed" };
}

function commandFor(tool: string, input: Record<string, unknown>): string {
  const [path, content, before, after] = [input.file_path, input.content, input.old_string, input.new_string].map(String);
  if (tool === "Write") return `mkdir -p "$(dirname ${quoted(path)})" && printf %s ${quoted(content)} > ${quoted(path)}`;
  if (tool === "Edit") return `node -e ${quoted(EDIT)} ${quoted(path)} ${quoted(before)} ${quoted(after)}`;
  return String(input.command);
}

const EDIT = `const fs = require("node:fs"), [file, before, after] = process.argv.slice(1), text = fs.readFileSync(file, "utf8");
if (!text.includes(before)) throw new Error("It is not there."); fs.writeFileSync(file, text.replace(before, () => after));`;

function quoted(text = ""): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
