import { MessagesRequest, readMessages } from "./model-conversation.js";
import type { Move } from "./model-script.js";
import { type StreamEvent, tokensOf, type WireAnswer, type WireRequest } from "./model-wire.js";

/** A request to Anthropic's Messages API. @throws {z.ZodError} */
export function messagesRequest(body: string): WireRequest {
  const asked = MessagesRequest.parse(JSON.parse(body));
  return {
    model: asked.model,
    stream: asked.stream,
    conversation: readMessages(asked),
    answer: (move) => new Message(asked.model, move, body.length),
    error: (status, message) => ({ type: "error", error: { type: errorType(status), message } }),
    limit: (until) => ({
      headers: {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": String(until),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
      },
      body: { type: "error", error: { type: errorType(429), message: "This request would exceed your account's rate limit." } },
    }),
  };
}

class Message implements WireAnswer {
  readonly #id = crypto.randomUUID().replaceAll("-", "");
  readonly #inputTokens: number;
  readonly #outputTokens: number;

  constructor(
    readonly model: string,
    readonly move: Move,
    inputBytes: number,
  ) {
    this.#inputTokens = move.usage?.input ?? tokensOf(inputBytes);
    this.#outputTokens = move.usage?.output ?? tokensOf(JSON.stringify(move).length);
  }

  get #stopReason(): string {
    return "tool" in this.move ? "tool_use" : "end_turn";
  }

  #head(outputTokens: number) {
    return {
      id: `msg_${this.#id}`,
      type: "message",
      role: "assistant",
      model: this.model,
      stop_sequence: null,
      usage: {
        input_tokens: this.#inputTokens,
        output_tokens: outputTokens,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
      },
    };
  }

  whole() {
    const { move } = this;
    const content =
      "tool" in move
        ? { type: "tool_use", id: `toolu_${this.#id}`, name: move.tool, input: move.input }
        : { type: "text", text: "say" in move ? move.say : "" };
    return { ...this.#head(this.#outputTokens), content: [content], stop_reason: this.#stopReason };
  }

  start(): StreamEvent {
    return { type: "message_start", message: { ...this.#head(1), content: [], stop_reason: null } };
  }

  ping(): StreamEvent {
    return { type: "ping" };
  }

  *rest(): Generator<StreamEvent> {
    const { move } = this;
    if ("tool" in move) {
      const block = { type: "tool_use", id: `toolu_${this.#id}`, name: move.tool, input: {} };
      yield { type: "content_block_start", index: 0, content_block: block };
      yield delta({ type: "input_json_delta", partial_json: JSON.stringify(move.input) });
    } else {
      yield { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } };
      const text = "say" in move ? move.say : "";
      for (const piece of text.match(/\S*\s*/g) ?? []) if (piece !== "") yield delta({ type: "text_delta", text: piece });
    }
    yield { type: "content_block_stop", index: 0 };
    yield {
      type: "message_delta",
      delta: { stop_reason: this.#stopReason, stop_sequence: null },
      usage: { output_tokens: this.#outputTokens },
    };
    yield { type: "message_stop" };
  }
}

function delta(content: Record<string, unknown>): StreamEvent {
  return { type: "content_block_delta", index: 0, delta: content };
}

function errorType(status: number): string {
  const types: Record<number, string> = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
  };
  return types[status] ?? "api_error";
}
