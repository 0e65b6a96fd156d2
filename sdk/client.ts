import { createParser, type EventSourceMessage } from "eventsource-parser";
import { z } from "zod";
import { Json } from "../contract/json.js";
import { MAX_LIMIT, Page } from "../contract/page.js";
import { ProblemDocument } from "../contract/problem.js";
import { Time } from "../contract/time.js";

/** An event of a stream: of a run's record when it has a `seq`, else live only. */
export const LiveEvent = z.object({
  type: z.string(),
  run_id: z.string(),
  seq: z.int().optional(),
  at: Time,
  data: z.record(z.string(), Json),
});
export type LiveEvent = z.infer<typeof LiveEvent>;

export interface ClientOptions {
  /** `http://127.0.0.1:3456` */
  url: string;
  /** Null where none is asked for. */
  token: string | null;
}

export type Query = Record<string, string | number | boolean | undefined>;

export interface PostOptions {
  /** An `Idempotency-Key`: asked again with the same, the same is answered, and nothing done twice. */
  key?: string | undefined;
  /** Milliseconds the answer may take. @default 60,000 */
  patience?: number | undefined;
}

export interface ChangeOptions {
  /** The `ETag` of what is to be changed. @default whatever is there */
  ifMatch?: string | undefined;
}

/** Longhaul answered with an error: its status, its word for it, and every problem it named. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly problems: ProblemDocument["errors"] = [],
  ) {
    super(message);
  }
}

/** There was no answer at all: nothing listens there, or the connection was lost. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";

  constructor(
    readonly url: string,
    cause: unknown,
  ) {
    super(`Nothing answers at ${url}.`, { cause });
  }
}

/** What answered is not Longhaul, or one of another version. */
export class UnexpectedAnswerError extends Error {
  override readonly name = "UnexpectedAnswerError";
}

/** Milliseconds an answer may take; a cancellation takes 5 s of itself. */
const PATIENCE = 60_000;
/** Milliseconds without a sign of life, where a ping comes every 15 s, after which a stream is lost. */
const SILENCE = 45_000;

/** Longhaul's API, typed by the contract. Works wherever there is `fetch`. */
export class LonghaulClient {
  readonly url: string;
  private readonly token: string | null;

  constructor({ url, token }: ClientOptions) {
    this.url = url.replace(/\/+$/, "");
    this.token = token;
  }

  /** @throws {ApiError | UnreachableError | UnexpectedAnswerError} as all the others do. */
  async get<T>(path: string, shape: z.ZodType<T>, query: Query = {}): Promise<T> {
    const { data } = await this.ask("GET", withQuery(path, query), z.object({ data: shape }));
    return data;
  }

  async post<T>(path: string, shape: z.ZodType<T>, body?: Json, { key, patience }: PostOptions = {}): Promise<T> {
    const headers = key === undefined ? {} : { "Idempotency-Key": key };
    const { data } = await this.ask("POST", path, z.object({ data: shape }), { body, headers, patience });
    return data;
  }

  /** @param options.ifMatch the `ETag` of what is to be changed: refused with 409 `changed` when it is not that any more. */
  async put<T>(path: string, shape: z.ZodType<T>, body: Json, options: ChangeOptions = {}): Promise<T> {
    const { data } = await this.ask("PUT", path, z.object({ data: shape }), { body, headers: ifMatch(options) });
    return data;
  }

  /** @param options as of `put` */
  async patch<T>(path: string, shape: z.ZodType<T>, body: Json, options: ChangeOptions = {}): Promise<T> {
    const { data } = await this.ask("PATCH", path, z.object({ data: shape }), { body, headers: ifMatch(options) });
    return data;
  }

  /** @param options as of `put` */
  async delete(path: string, query: Query = {}, options: ChangeOptions = {}): Promise<void> {
    await this.fetch("DELETE", withQuery(path, query), {
      headers: { Accept: "application/json", ...ifMatch(options) },
      signal: AbortSignal.timeout(PATIENCE),
    });
  }

  /** What is no JSON of ours: a definition as a file (`/api/workflows/:id/export`), say. */
  async text(path: string, query: Query = {}): Promise<string> {
    const response = await this.fetch("GET", withQuery(path, query), { headers: {}, signal: AbortSignal.timeout(PATIENCE) });
    return await response.text().catch((error: unknown) => {
      throw new UnreachableError(this.url, error);
    });
  }

  /** One thing, and its `ETag`, by which a change can be made of just that. */
  async getTagged<T>(path: string, shape: z.ZodType<T>, query: Query = {}): Promise<{ data: T; tag: string | undefined }> {
    const where = withQuery(path, query);
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await this.fetch("GET", where, { headers: { Accept: "application/json" }, signal });
    const answer = z.object({ data: shape }).safeParse(await this.json(response));
    if (!answer.success) throw this.unexpected(`GET ${where}`, z.prettifyError(answer.error));
    return { data: answer.data.data, tag: response.headers.get("ETag") ?? undefined };
  }

  /** One page of a list. */
  async list<T>(path: string, shape: z.ZodType<T>, query: Query = {}): Promise<{ data: T[]; page: Page }> {
    return this.ask("GET", withQuery(path, query), z.object({ data: z.array(shape), page: Page }));
  }

  /** A list from its newest on, page by page. @param most how many at most. @default Infinity */
  async all<T>(path: string, shape: z.ZodType<T>, query: Query = {}, most = Number.POSITIVE_INFINITY): Promise<T[]> {
    const found: T[] = [];
    let cursor: string | undefined;
    do {
      const limit = Math.min(MAX_LIMIT, most - found.length);
      const { data, page } = await this.list(path, shape, { ...query, limit, cursor });
      found.push(...data);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined && found.length < most);
    return found;
  }

  /**
   * A run's events after one, as they come, until the server ends the stream: with the run, or as it stops itself.
   *
   * @throws {UnreachableError} also when the connection is lost in the middle.
   */
  async *events(runId: string, { after = 0, signal }: { after?: number; signal?: AbortSignal } = {}): AsyncGenerator<LiveEvent> {
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), SILENCE);
    const either = signal ? AbortSignal.any([signal, silent.signal]) : silent.signal;
    try {
      const path = `/api/runs/${encodeURIComponent(runId)}/events`;
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(after) };
      const response = await this.fetch("GET", path, { headers, signal: either });
      for await (const message of messages(this.pieces(response, either))) {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE);
        const event = message && LiveEvent.safeParse(JSON.parse(message.data));
        if (event?.success) yield event.data;
      }
    } finally {
      clearTimeout(timer);
      silent.abort();
    }
  }

  private async ask<T>(
    method: string,
    path: string,
    shape: z.ZodType<T>,
    {
      body,
      headers = {},
      patience = PATIENCE,
    }: { body?: Json | undefined; headers?: Record<string, string>; patience?: number | undefined } = {},
  ): Promise<T> {
    const signal = AbortSignal.timeout(patience);
    const response = await this.fetch(method, path, { body, headers: { Accept: "application/json", ...headers }, signal });
    const answer = shape.safeParse(await this.json(response));
    if (answer.success) return answer.data;
    throw this.unexpected(`${method} ${path}`, z.prettifyError(answer.error));
  }

  private async fetch(
    method: string,
    path: string,
    { body, headers, signal }: { body?: Json | undefined; headers: Record<string, string>; signal: AbortSignal },
  ): Promise<Response> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      signal,
      headers: {
        ...headers,
        ...(this.token === null ? {} : { Authorization: `Bearer ${this.token}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new UnreachableError(this.url, error);
    });
    if (response.ok) return response;
    const problem = ProblemDocument.safeParse(await this.json(response).catch(() => undefined));
    if (!problem.success) throw this.unexpected(`${method} ${path}`, `status ${response.status}`);
    const { status, code, detail, title, errors } = problem.data;
    throw new ApiError(status, code, detail ?? title, errors);
  }

  private async json(response: Response): Promise<unknown> {
    const text = await response.text().catch((error: unknown) => {
      throw new UnreachableError(this.url, error);
    });
    try {
      return JSON.parse(text);
    } catch {
      throw this.unexpected(new URL(response.url).pathname, "not JSON");
    }
  }

  private async *pieces(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      if (response.body) yield* response.body;
    } catch (error) {
      throw new UnreachableError(this.url, error);
    }
    if (signal.aborted) throw new UnreachableError(this.url, signal.reason);
  }

  private unexpected(what: string, how: string): UnexpectedAnswerError {
    return new UnexpectedAnswerError(
      `${this.url} answers ${what} with something else than expected. Is it Longhaul, of the same version as this?\n${how}`,
    );
  }
}

/** The messages of an event stream as they arrive; undefined for a piece that ends none, such as a ping. */
async function* messages(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<EventSourceMessage | undefined> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => ready.push(message) });
  const decoder = new TextDecoder();
  for await (const bytes of pieces) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    if (ready.length === 0) yield undefined;
    yield* ready.splice(0);
  }
}

function ifMatch({ ifMatch: tag }: ChangeOptions): Record<string, string> {
  return tag === undefined ? {} : { "If-Match": tag };
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
