import type { ToolCallRow } from "../../contract/agent-session.js";
import type { Json } from "../../contract/json.js";
import type { LogStream } from "../log-stream.js";
import type { SecretMask } from "../secret-mask.js";
import type { AgentEvent } from "./provider.js";

/** All tool calls of a step together, in characters of JSON: they go through the history. */
const ROWS_CHARS = 24 * 1024;
/** Of one call's input or output: as much as fits, tried in this order. */
const SHARES = [2_000, 500, 120];
const LINE_CHARS = 300;

/** Writes down what an agent does: as lines of the step's log while it happens, and as rows of its tool calls. */
export class Trail {
  private readonly calls: ToolCallRow[] = [];
  private readonly byToolUse = new Map<string, ToolCallRow>();

  constructor(
    private readonly log: LogStream,
    private readonly owner: { run_id: string; step_id: string; agent_session_id: string },
    private readonly secrets: SecretMask,
    /** The tree, whose paths are shown without it. */
    private readonly tree: string,
    /** Calls that were told before. */
    private readonly before = 0,
  ) {}

  /** Calls so far, those before included. */
  get count(): number {
    return this.before + this.calls.length;
  }

  take(event: AgentEvent): void {
    switch (event.type) {
      case "session":
        this.log.write("log", event.resumed ? `(goes on in session ${event.sessionId})\n` : `(session ${event.sessionId})\n`);
        return;
      case "text":
        this.log.write("stdout", `${this.secrets.text(event.text)}\n`);
        return;
      case "stderr":
        this.log.write("stderr", this.secrets.text(event.text));
        return;
      case "warning":
        this.log.write("log", `${this.secrets.text(event.text)}\n`, "warn");
        return;
      case "tool": {
        this.log.write(
          "log",
          `> ${event.tool} ${oneLine(this.secrets.text(gist(event.input)).replaceAll(`${this.tree}/`, ""))}\n`,
        );
        const id = `${this.owner.agent_session_id}-t${this.count + 1}`;
        const call = {
          id,
          ...this.owner,
          tool: event.tool,
          input: event.input,
          output: null,
          is_error: false,
          at: new Date().toISOString(),
        };
        this.calls.push(call);
        this.byToolUse.set(event.id, call);
        return;
      }
      case "tool_result": {
        const call = this.byToolUse.get(event.id);
        if (call) Object.assign(call, { output: event.output, is_error: event.isError });
        if (event.isError) this.log.write("log", `  ${oneLine(this.secrets.text(event.output))}\n`, "warn");
        return;
      }
      case "alive":
        return;
    }
  }

  /** The tool calls, cut down until they fit; the transcript has them whole. Of very many the last ones stay. */
  rows(): ToolCallRow[] {
    for (const share of SHARES) {
      const rows = this.calls.map((call) => ({
        ...call,
        input: this.cut(call.input, share),
        output: this.cut(call.output, share),
      }));
      if (share === SHARES.at(-1)) while (JSON.stringify(rows).length > ROWS_CHARS) rows.shift();
      if (JSON.stringify(rows).length <= ROWS_CHARS) return rows;
    }
    return [];
  }

  private cut(value: Json, chars: number): Json {
    const hidden = this.secrets.json(value);
    const text = typeof hidden === "string" ? hidden : JSON.stringify(hidden);
    return text.length > chars ? `${text.slice(0, chars)} … (${text.length} characters)` : hidden;
  }
}

/** What a reader wants to see first of a tool's input. */
export function gist(input: Json): string {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return JSON.stringify(input);
  const first = input.command ?? input.file_path ?? input.pattern ?? input.url ?? input.description;
  return typeof first === "string" ? first : JSON.stringify(input);
}

export function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > LINE_CHARS ? `${line.slice(0, LINE_CHARS)} …` : line;
}
