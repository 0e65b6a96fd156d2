import { z } from "zod";
import type { Json } from "../../contract/json.js";
import type { AgentEvent } from "./provider.js";

const Block = z.looseObject({ type: z.string(), text: z.string().optional() });

/** A tool call as the protocol tells it: what is known of it, or what is new. It has no name, only a kind and a title. */
export const AcpToolCall = z.looseObject({
  toolCallId: z.string(),
  title: z.string().nullish(),
  /** read, edit, delete, move, search, execute, think, fetch, switch_mode, other */
  kind: z.string().nullish(),
  status: z.string().nullish(),
  content: z.array(z.looseObject({ type: z.string(), content: Block.optional(), path: z.string().optional() })).nullish(),
  locations: z.array(z.looseObject({ path: z.string() })).nullish(),
  rawInput: z.json().optional(),
  rawOutput: z.json().optional(),
});
export type AcpToolCall = z.infer<typeof AcpToolCall>;

/** The updates of a session that mean something to us; agents tell others, too. */
const Update = z.discriminatedUnion("sessionUpdate", [
  z.looseObject({ sessionUpdate: z.literal("agent_message_chunk"), content: Block }),
  z.looseObject({ sessionUpdate: z.literal("user_message_chunk"), content: Block }),
  z.looseObject({ sessionUpdate: z.literal("tool_call"), ...AcpToolCall.shape }),
  z.looseObject({ sessionUpdate: z.literal("tool_call_update"), ...AcpToolCall.shape }),
]);
const Notification = z.looseObject({ update: Update });

/** What a turn has told, update by update. */
export class AcpTelling {
  /** What was said since the last tool call, which is the answer when the turn is over. */
  text = "";
  /** How often the model has answered by words or calls. */
  answers = 0;
  /** Of a session that is loaded its history is told again: nobody is told of that twice. */
  isReplay = false;
  /** What people have said in the replayed history. */
  prompts = "";
  readonly #begun = new Map<string, AcpToolCall>();

  constructor(private readonly watch: (event: AgentEvent) => void) {}

  update(params: unknown): void {
    this.watch({ type: "alive" });
    const update = Notification.safeParse(params).data?.update;
    if (!update) return;
    if (this.isReplay) {
      if (update.sessionUpdate === "user_message_chunk") this.prompts += `${update.content.text ?? ""}\n`;
      return;
    }
    switch (update.sessionUpdate) {
      case "agent_message_chunk":
        this.text += update.content.text ?? "";
        return;
      case "tool_call":
      case "tool_call_update":
        this.call(update);
        return;
    }
  }

  /** Of a call it may be told in several pieces, the first of which may be the question whether it is allowed. */
  call(told: AcpToolCall): AcpToolCall {
    const call = merged(this.#begun.get(told.toolCallId), told);
    if (!this.#begun.has(told.toolCallId)) {
      this.#endText();
      this.text = "";
      this.answers++;
      this.watch({ type: "tool", id: call.toolCallId, tool: toolOf(call), input: inputOf(call) });
    }
    this.#begun.set(call.toolCallId, call);
    if (told.status === "completed" || told.status === "failed") {
      this.watch({ type: "tool_result", id: call.toolCallId, output: outputOf(call), isError: told.status === "failed" });
    }
    return call;
  }

  /** The turn is over. */
  end(): void {
    this.#endText();
    this.text = this.text.trim();
  }

  #endText(): void {
    if (this.text.trim() === "") return;
    this.answers++;
    this.watch({ type: "text", text: this.text.trim() });
  }
}

export function toolOf({ kind, title }: AcpToolCall): string {
  return kind ?? title ?? "tool";
}

export function inputOf(call: AcpToolCall): Json {
  const raw = call.rawInput;
  const paths = pathsOf(call);
  return {
    ...(call.title ? { description: call.title } : {}),
    ...(paths.length > 0 ? { paths } : {}),
    ...(typeof raw === "object" && raw !== null && !Array.isArray(raw) ? raw : raw === undefined ? {} : { input: raw }),
  };
}

/** The files that it says to touch. */
export function pathsOf({ locations, content }: AcpToolCall): string[] {
  const told = [...(locations ?? []), ...(content ?? [])].flatMap(({ path }) => (path === undefined ? [] : [path]));
  return [...new Set(told)];
}

function outputOf({ content, rawOutput }: AcpToolCall): string {
  const text = (content ?? []).flatMap((part) => part.content?.text ?? []).join("\n");
  if (text !== "" || rawOutput === undefined) return text;
  return typeof rawOutput === "string" ? rawOutput : JSON.stringify(rawOutput);
}

function merged(known: AcpToolCall | undefined, told: AcpToolCall): AcpToolCall {
  const news = Object.entries(told).filter(([, value]) => value !== null && value !== undefined);
  return { ...known, ...Object.fromEntries(news), toolCallId: told.toolCallId };
}
