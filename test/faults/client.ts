import { setTimeout as sleep } from "node:timers/promises";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { isFinished, type RunStatus } from "../../contract/run.js";
import type { SeenEvent } from "./checker.js";

export interface Reply {
  status: number;
  headers: Headers;
  /** Whatever the answer's JSON is; null when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of all routes; a test that looks at a wrong field fails
  body: any;
}

export interface AskOptions {
  body?: unknown;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

/** What clients of the API do while it falls and comes back. */
export class FaultClient {
  constructor(
    readonly url: string,
    readonly token: string,
  ) {}

  /** One request. @throws when there is no answer. */
  async ask(method: string, path: string, { body, headers = {}, timeoutMs = 30_000 }: AskOptions = {}): Promise<Reply> {
    const multipart = body instanceof FormData;
    const response = await fetch(this.url + path, {
      method,
      headers: {
        accept: "application/json",
        authorization: `Bearer ${this.token}`,
        // A connection that a killed API held would be tried again.
        connection: "close",
        ...(body === undefined || multipart ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: multipart ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) };
  }

  /** Ask until the answer is a good one, as a patient client does. @throws {Error} with the last answer. */
  async insist(method: string, path: string, options: AskOptions & { limitMs?: number } = {}): Promise<Reply> {
    let last = "no answer";
    for (const end = Date.now() + (options.limitMs ?? 60_000); Date.now() < end; await sleep(100)) {
      try {
        const reply = await this.ask(method, path, options);
        if (reply.status < 300) return reply;
        last = `${reply.status} ${JSON.stringify(reply.body)}`;
        if (reply.status < 500) break;
      } catch (error) {
        last = String(error);
      }
    }
    throw new Error(`${method} ${path}: ${last}`);
  }

  /** Every item of a list, oldest first. */
  // biome-ignore lint/suspicious/noExplicitAny: as in Reply
  async all(path: string): Promise<any[]> {
    const items = [];
    for (let cursor: string | undefined; ; ) {
      const query = `limit=100${cursor === undefined ? "" : `&cursor=${cursor}`}`;
      const { body } = await this.insist("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);
      items.push(...body.data);
      cursor = body.page.next_cursor ?? undefined;
      if (cursor === undefined) return items.reverse();
    }
  }

  async finished(runId: string, limitMs = 120_000): Promise<void> {
    for (const end = Date.now() + limitMs; Date.now() < end; await sleep(100)) {
      const reply = await this.ask("GET", `/api/runs/${runId}`).catch(() => undefined);
      const status: RunStatus | undefined = reply?.body?.data?.status;
      if (status && isFinished(status)) return;
    }
    const { body } = await this.insist("GET", `/api/runs/${runId}`);
    const steps = body.data.steps.map((step: { name: string; status: string }) => `${step.name} ${step.status}`);
    throw new Error(`The run is ${body.data.status} after ${limitMs} ms: ${steps.join(", ")}`);
  }

  /** Follows a run's stream to its end, connecting again after the last event that came, each time it breaks. */
  follow(runId: string): Follower {
    const seen: SeenEvent[] = [];
    let connections = 0;
    const stop = new AbortController();
    const read = async () => {
      while (!stop.signal.aborted) {
        try {
          await this.readEvents(runId, seen, stop.signal, () => connections++);
          if (hasEnded(seen)) return;
        } catch {
          // Broken off: on from the last one.
        }
        await sleep(100);
      }
    };
    const done = read();
    return { seen, done, connections: () => connections, stop: () => stop.abort() };
  }

  private async readEvents(runId: string, seen: SeenEvent[], signal: AbortSignal, onOpen: () => void): Promise<void> {
    const last = seen.at(-1)?.id;
    const response = await fetch(`${this.url}/api/runs/${runId}/events`, {
      headers: {
        accept: "text/event-stream",
        authorization: `Bearer ${this.token}`,
        connection: "close",
        ...(last === undefined ? {} : { "last-event-id": last }),
      },
      signal,
    });
    if (response.status !== 200 || !response.body) throw new Error(`The stream was answered with ${response.status}.`);
    onOpen();
    const frames = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    for await (const { id, data } of frames) {
      if (id === undefined) continue; // live output: it has no place in the sequence
      const event = JSON.parse(data);
      seen.push({ id, seq: event.seq, type: event.type, data: event.data });
    }
  }
}

export interface Follower {
  /** Grows as events come. */
  seen: SeenEvent[];
  /** Resolves when the run has ended or it was told to stop. */
  done: Promise<void>;
  connections(): number;
  stop(): void;
}

function hasEnded(seen: readonly SeenEvent[]): boolean {
  return seen.some(
    ({ type, data }) => type === "workflow.execution.status_changed" && isFinished(data.status as RunStatus), // our own API's word
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
