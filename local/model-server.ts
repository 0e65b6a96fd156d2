import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Conversation } from "./model-conversation.js";
import { googleRequest } from "./model-google.js";
import { messagesRequest } from "./model-messages.js";
import { responsesRequest } from "./model-responses.js";
import { type Move, nextMove, type Rule } from "./model-script.js";
import { type StreamEvent, tokensOf, type WireRequest } from "./model-wire.js";

/** The APIs it speaks, by the end of their paths. */
const API: readonly [end: string, read: (body: string, path: string) => WireRequest][] = [
  ["/messages", messagesRequest],
  ["/responses", responsesRequest],
  [":generateContent", googleRequest],
  [":streamGenerateContent", googleRequest],
];

/** A request as the server saw it. */
export interface ModelRequest {
  path: string;
  model: string;
  conversation: Conversation;
  move: Move;
  /** What the client was told that it used, once it has the whole answer. */
  used?: { input_tokens: number; output_tokens: number };
}

export interface ModelServer {
  /** For `ANTHROPIC_BASE_URL` and `GOOGLE_GEMINI_BASE_URL`; with `/v1` behind it for `OPENAI_BASE_URL`. */
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
 * A model that says what a script tells it to, on 127.0.0.1, as Anthropic's Messages API, OpenAI's Responses API and Google's Gemini API answer: enough
 * of them, streaming included, for real coding agents to work without a real model. It keeps no state: the next
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
  const text = await readBody(request);
  if (path.endsWith("/messages/count_tokens")) return sendJson(response, 200, { input_tokens: tokensOf(text.length) });
  if (path.endsWith(":countTokens")) return sendJson(response, 200, { totalTokens: tokensOf(text.length) });
  if (path.endsWith("/models")) return sendJson(response, 200, { data: [], models: [], has_more: false });
  const read = API.find(([end]) => path.endsWith(end))?.[1];
  if (!read) return sendJson(response, 404, { type: "error", error: { type: "not_found_error", message: path } });

  const asked = read(text, path);
  const move = asked.isAside ? { say: "" } : nextMove(asked.conversation, rules);
  const seen: ModelRequest = { path, model: asked.model, conversation: asked.conversation, move };
  if (!asked.isAside) requests.push(seen);
  const used = { input_tokens: tokensOf(text.length), output_tokens: tokensOf(JSON.stringify(move).length) };

  if (move.limitedUntil !== undefined && Date.now() < move.limitedUntil * 1_000) {
    const message = "The usage limit has been reached";
    const { headers, body } = asked.limit?.(move.limitedUntil) ?? { headers: {}, body: asked.error(429, message) };
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    return sendJson(response, 429, body);
  }
  if ("status" in move) {
    response.setHeader("x-should-retry", "false");
    return sendJson(response, move.status, asked.error(move.status, move.message ?? `The script answers ${move.status}.`));
  }
  const wire = asked.answer(move);
  if (!asked.stream) {
    await wait(move, stopping);
    seen.used = used;
    return sendJson(response, 200, wire.whole());
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  send(response, wire.start());
  const pings = setInterval(() => send(response, wire.ping()), 1_000);
  try {
    await wait(move, AbortSignal.any([stopping, closed(response)]));
  } finally {
    clearInterval(pings);
  }
  for (const event of wire.rest()) send(response, event);
  response.end();
  if (!response.destroyed) seen.used = used;
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

function send(response: ServerResponse, event: StreamEvent | undefined): void {
  if (event === undefined || response.destroyed) return;
  const head = event.type === undefined ? "" : `event: ${event.type}\n`;
  response.write(`${head}data: ${JSON.stringify(event)}\n\n`);
}
