import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { DemoEvent } from "./demo-screen.js";
import { sseFrames } from "./sse-frames.js";

const One = z.object({ data: z.unknown() });
const Problem = z.looseObject({ title: z.string().optional(), detail: z.string().nullish(), code: z.string().optional() });

/** What the demo asks of Longhaul, over HTTP as any client would. */
export class DemoClient {
  constructor(
    private readonly url: string,
    private readonly token: string | null,
    private readonly signal: AbortSignal,
  ) {}

  async get<T extends z.ZodType>(path: string, shape: T): Promise<z.output<T>> {
    return shape.parse(await this.ask("GET", path));
  }

  async post<T extends z.ZodType>(path: string, body: unknown, shape: T): Promise<z.output<T>> {
    return shape.parse(await this.ask("POST", path, body));
  }

  async text(path: string): Promise<string> {
    return (await this.fetch("GET", path)).text();
  }

  /** The run's events from its first to its last, and its steps' output as it comes. */
  async *events(runId: string): AsyncGenerator<DemoEvent> {
    const response = await this.fetch("GET", `/api/runs/${runId}/events`, undefined, "text/event-stream");
    if (!response.body) return;
    for await (const { data } of sseFrames(response.body)) {
      const event = DemoEvent.safeParse(JSON.parse(data));
      if (event.success) yield event.data;
    }
  }

  /** Ask until the answer is one; for what takes a moment to be found. */
  async eventually<T>(what: string, ask: () => Promise<T | undefined>, ms = 30_000): Promise<T> {
    for (const until = Date.now() + ms; Date.now() < until; await sleep(200, undefined, { signal: this.signal })) {
      const found = await ask();
      if (found !== undefined) return found;
    }
    throw new Error(`${what} did not come within ${ms / 1000} s.`);
  }

  private async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    return One.parse(await (await this.fetch(method, path, body)).json()).data;
  }

  private async fetch(method: string, path: string, body?: unknown, accept = "application/json"): Promise<Response> {
    const response = await fetch(this.url + path, {
      method,
      signal: this.signal,
      headers: {
        accept,
        ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.ok) return response;
    const problem = Problem.safeParse(await response.json().catch(() => ({})));
    const why = problem.success ? (problem.data.detail ?? problem.data.title) : undefined;
    throw new Error(`${method} ${path} was answered with ${response.status}${why ? `: ${why}` : ""}`);
  }
}
