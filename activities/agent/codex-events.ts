import { z } from "zod";
import type { Json } from "../../contract/json.js";
import type { AgentEvent } from "./provider.js";

const Item = z.discriminatedUnion("type", [
  z.looseObject({ id: z.string(), type: z.literal("agent_message"), text: z.string() }),
  z.looseObject({
    id: z.string(),
    type: z.literal("command_execution"),
    command: z.string(),
    aggregated_output: z.string().default(""),
    exit_code: z.int().nullish(),
    status: z.string(),
  }),
  z.looseObject({ id: z.string(), type: z.literal("file_change"), changes: z.array(z.json()), status: z.string() }),
  z.looseObject({
    id: z.string(),
    type: z.literal("mcp_tool_call"),
    server: z.string(),
    tool: z.string(),
    arguments: z.json().default(null),
    result: z.json().default(null),
    error: z.looseObject({ message: z.string() }).nullish(),
    status: z.string(),
  }),
  z.looseObject({ id: z.string(), type: z.literal("web_search"), query: z.string().default("") }),
  z.looseObject({ id: z.string(), type: z.literal("error"), message: z.string() }),
]);
type Item = z.infer<typeof Item>;

/** Tokens of a session, over all its turns. */
const Usage = z.looseObject({
  input_tokens: z.int(),
  cached_input_tokens: z.int().default(0),
  output_tokens: z.int(),
});
export type CodexUsage = z.infer<typeof Usage>;

/** The lines of `codex exec --json` that mean something to us; it may say others. */
const Event = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("thread.started"), thread_id: z.string() }),
  z.looseObject({ type: z.literal("turn.completed"), usage: Usage }),
  z.looseObject({ type: z.literal("turn.failed"), error: z.looseObject({ message: z.string() }) }),
  z.looseObject({ type: z.literal("error"), message: z.string() }),
  z.looseObject({ type: z.literal("item.started"), item: Item }),
  z.looseObject({ type: z.literal("item.completed"), item: Item }),
]);

/** What a turn has told, read line by line. */
export class CodexTelling {
  /** The last thing said, which is the answer. */
  text = "";
  /** How often the model has answered by words or calls. */
  answers = 0;
  usage: CodexUsage | undefined;
  /** Why the turn failed. An error that the turn went past is none. */
  failure: string | undefined;
  isOver = false;
  #lastError: string | undefined;
  readonly #begun = new Set<string>();

  constructor(
    private readonly watch: (event: AgentEvent) => void,
    private readonly began: (sessionId: string) => void,
  ) {}

  line(line: string): void {
    this.watch({ type: "alive" });
    const event = Event.safeParse(parsed(line)).data;
    switch (event?.type) {
      case "thread.started":
        this.began(event.thread_id);
        return;
      case "turn.completed":
        this.usage = event.usage;
        this.isOver = true;
        return;
      case "turn.failed":
        this.failure = event.error.message || this.#lastError || "it said nothing.";
        this.isOver = true;
        return;
      case "error":
        this.#lastError = event.message;
        this.watch({ type: "warning", text: event.message });
        return;
      case "item.started":
        this.#begin(event.item);
        return;
      case "item.completed":
        this.#complete(event.item);
        return;
    }
  }

  #begin(item: Item): void {
    const tool = toolOf(item);
    if (tool === null || this.#begun.has(item.id)) return;
    this.#begun.add(item.id);
    this.answers++;
    this.watch({ type: "tool", id: item.id, ...tool });
  }

  #complete(item: Item): void {
    if (item.type === "error") {
      this.watch({ type: "warning", text: item.message });
      return;
    }
    if (item.type === "agent_message") {
      this.text = item.text;
      this.answers++;
      if (item.text !== "") this.watch({ type: "text", text: item.text });
      return;
    }
    this.#begin(item);
    this.watch({ type: "tool_result", id: item.id, ...resultOf(item) });
  }
}

function toolOf(item: Item): { tool: string; input: Json } | null {
  switch (item.type) {
    case "command_execution":
      return { tool: item.type, input: { command: withoutShell(item.command) } };
    case "file_change":
      return { tool: item.type, input: { changes: item.changes } };
    case "mcp_tool_call":
      return { tool: `${item.server}.${item.tool}`, input: item.arguments };
    case "web_search":
      return { tool: item.type, input: { query: item.query } };
    default:
      return null;
  }
}

function resultOf(item: Item): { output: string; isError: boolean } {
  switch (item.type) {
    case "command_execution":
      return { output: item.aggregated_output, isError: item.status !== "completed" || (item.exit_code ?? 0) !== 0 };
    case "mcp_tool_call":
      return { output: item.error?.message ?? JSON.stringify(item.result), isError: item.status !== "completed" };
    case "file_change":
      return { output: item.status, isError: item.status !== "completed" };
    default:
      return { output: "", isError: false };
  }
}

/** The command itself, where the words in which Codex has its shell run it can be taken off. */
function withoutShell(command: string): string {
  return (
    /^\S*\/(?:ba|z)?sh -l?c (?:'([^']*)'|(\S+))$/
      .exec(command)
      ?.slice(1)
      .find((inner) => inner !== undefined) ?? command
  );
}

/** Undefined for what is no JSON. */
export function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
