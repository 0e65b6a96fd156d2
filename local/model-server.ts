import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Conversation, MessagesRequest, readConversation } from "./model-conversation.js";
import { type Move, nextMove, type Rule } from "./model-script.js";

/** A request as the server saw it. */
export interface ModelRequest {
  path: string;
  model: string;
  conversation: Conversation;
  move: Move;
}

export interface ModelServer {
  /** For `ANTHROPIC_BASE_URL`. */
  url: string;
  /** Every request for a message so far, oldest first. */
  requests: ModelRequest[];
  stop(): Promise<void>;
}

export interface ModelServerOptions {
  /** Tried in this order; markers in a prompt come first. @default none */
  rules?: readonly Rule[];
  /** @default a free one */
  port?: number;
}

/**
 * A model that says what a script tells it to, on 127.0.0.1, as the Anthropic Messages API answers: enough of
 * it, streaming included, for real coding agents to work without a real model. It keeps no state: the next
 * answer follows from the conversation that each request carries, so a restarted agent is answered rightly.
 */
export async function startModelServer({ rules = [], port = 0 }: ModelServerOptions = {}): Promise<ModelServer> {
  const requests: ModelRequest[] = [];
  const stopping = new AbortController();
  const server = createServer((request, response) => {
    answer(request, response, rules, requests, stopping.signal).catch(() => response.destroy());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: async () => {
      stopping.abort();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  rules: readonly Rule[],
  requests: ModelRequest[],
  stopping: AbortSignal,
): Promise<void> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const body = await readBody(request);
  if (path.endsWith("/messages/count_tokens")) return sendJson(response, 200, { input_tokens: Math.ceil(body.length / 4) });
  if (path.endsWith("/models")) return sendJson(response, 200, { data: [], has_more: false });
  if (!path.endsWith("/messages"))
    return sendJson(response, 404, { type: "error", error: { type: "not_found_error", message: path } });

  const asked = MessagesRequest.parse(JSON.parse(body));
  const conversation = readConversation(asked);
  const move = nextMove(conversation, rules);
  requests.push({ path, model: asked.model, conversation, move });

  if ("status" in move) {
    response.setHeader("x-should-retry", "false");
    return sendJson(response, move.status, {
      type: "error",
      error: { type: errorType(move.status), message: move.message ?? `The script answers ${move.status}.` },
    });
  }
  const message = new Message(asked.model, move, body.length);
  if (!asked.stream) {
    await wait(move, stopping);
    return sendJson(response, 200, message.whole());
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  send(response, message.start());
  const pings = setInterval(() => send(response, { type: "ping" }), 1_000);
  try {
    await wait(move, AbortSignal.any([stopping, closed(response)]));
  } finally {
    clearInterval(pings);
  }
  for (const event of message.rest()) send(response, event);
  response.end();
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** @throws when the signal aborts first. */
async function wait(move: Move, signal: AbortSignal): Promise<void> {
  const ms = "hang" in move ? 2 ** 31 - 1 : (move.afterMs ?? 0);
  if (ms > 0) await sleep(ms, undefined, { signal });
}

function closed(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  return gone.signal;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

type StreamEvent = { type: string; [field: string]: unknown };

function send(response: ServerResponse, event: StreamEvent): void {
  if (!response.destroyed) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

/** One answer in the shapes of the Messages API: whole, or as its stream of events. */
class Message {
  readonly #id = crypto.randomUUID().replaceAll("-", "");
  readonly #outputTokens: number;

  constructor(
    readonly model: string,
    readonly move: Move,
    readonly inputBytes: number,
  ) {
    this.#outputTokens = Math.ceil(JSON.stringify(move).length / 4);
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
        input_tokens: Math.ceil(this.inputBytes / 4),
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
