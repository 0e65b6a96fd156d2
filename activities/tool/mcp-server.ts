import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Progress } from "@modelcontextprotocol/sdk/types.js";
import {
  CallToolResultSchema,
  ErrorCode,
  ListToolsResultSchema,
  LoggingMessageNotificationSchema,
  McpError,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { Json, JsonObject } from "../../contract/json.js";
import type { LogLevel } from "../../contract/log.js";
import { StepFailure } from "../failure.js";
import type { Reach } from "./config.js";
import type { ToolAnswer, ToolInfo, ToolServer, ToolUse } from "./server.js";
import { SessionEnded } from "./session-ended.js";
import { StdioTransport } from "./stdio.js";

export interface McpServerOptions {
  name: string;
  reach: Reach;
  /** Milliseconds until it must have answered first. */
  startMs: number;
  /** Between SIGTERM and SIGKILL, in milliseconds. */
  graceMs: number;
  /** How long it may be silent when it is asked whether it is there, in milliseconds. */
  patienceMs: number;
  /** Aborted when it is not wanted any more, while it starts. */
  stop?: AbortSignal | undefined;
}

const LIST_MS = 30_000;
const GOODBYE_MS = 1_000;
const LONGEST_MS = 2 ** 31 - 1;
const PAGES = 100;

/** A server that speaks the Model Context Protocol, and the one connection to it. */
export class McpServer implements ToolServer {
  readonly ended: Promise<void>;
  alive = true;
  private readonly users = new Set<ToolUse>();
  private listed: Promise<readonly ToolInfo[]> | undefined;
  private checking: Promise<void> | undefined;

  private constructor(
    private readonly name: string,
    private readonly client: Client,
    private readonly transport: StdioTransport | StreamableHTTPClientTransport,
    private readonly patienceMs: number,
  ) {
    this.ended = new Promise((resolve) => {
      client.onclose = () => {
        this.alive = false;
        resolve();
      };
    });
    // A broken stream says nothing of what was asked on it: whether there is still somebody, the other end must say.
    client.onerror = () => void (transport instanceof StdioTransport || this.check());
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      this.listed = undefined;
    });
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
      const text = typeof params.data === "string" ? params.data : JSON.stringify(params.data);
      this.tell("log", text, LEVELS[params.level]);
    });
    if (transport instanceof StdioTransport) transport.onstderr = (line) => this.tell("stderr", line);
  }

  /** @throws {StepFailure} `tool_server_failed`. */
  static async start({ name, reach, startMs, graceMs, patienceMs, stop }: McpServerOptions): Promise<McpServer> {
    const transport =
      reach.kind === "stdio"
        ? new StdioTransport(reach, graceMs)
        : new StreamableHTTPClientTransport(new URL(reach.url), { requestInit: { headers: reach.headers } });
    const client = new Client({ name: "longhaul", version: "1" });
    const server = new McpServer(name, client, transport, patienceMs);
    const giveUp = () => void transport.close();
    stop?.addEventListener("abort", giveUp, { once: true });
    try {
      await client.connect(transport as Parameters<Client["connect"]>[0], { timeout: startMs });
      return server;
    } catch (error) {
      await server.close().catch(() => {});
      const words = transport instanceof StdioTransport ? transport.lastWords.trim() : "";
      const why = `The tool server "${name}" could not be started: ${whyNot(error, transport, reach, startMs)}.`;
      throw new StepFailure("tool_server_failed", words ? `${why} It said: ${words}` : why, undefined, { cause: error });
    } finally {
      stop?.removeEventListener("abort", giveUp);
    }
  }

  tools(): Promise<readonly ToolInfo[]> {
    if (this.listed) return this.listed;
    const listed = this.list();
    this.listed = listed;
    listed.catch(() => {
      this.listed = undefined;
    });
    return listed;
  }

  async call(tool: string, params: JsonObject, use: ToolUse): Promise<ToolAnswer> {
    const { signal } = use.work;
    signal.throwIfAborted();
    const stopper = new AbortController(); // the SDK listens on for longer than the call
    const stop = () => stopper.abort("the step was stopped");
    signal.addEventListener("abort", stop, { once: true });
    this.users.add(use);
    try {
      const options = { signal: stopper.signal, timeout: LONGEST_MS, onprogress: (progress: Progress) => report(progress, use) };
      const request = { method: "tools/call" as const, params: { name: tool, arguments: params } };
      const { content, structuredContent, isError } = await this.client.request(request, CallToolResultSchema, options);
      return { content, structured: structuredContent as Json | undefined, isError: isError ?? false };
    } catch (error) {
      if (signal.aborted) {
        void this.check();
        throw signal.reason;
      }
      throw this.failure(tool, error);
    } finally {
      this.users.delete(use);
      signal.removeEventListener("abort", stop);
    }
  }

  async close(): Promise<void> {
    this.alive = false;
    if (this.transport instanceof StreamableHTTPClientTransport) {
      await Promise.race([this.transport.terminateSession().catch(() => {}), sleep(GOODBYE_MS)]);
    }
    await this.transport.close();
  }

  private async list(): Promise<readonly ToolInfo[]> {
    const tools: ToolInfo[] = [];
    let cursor: string | undefined;
    try {
      for (let page = 0; page < PAGES; page++) {
        const request = { method: "tools/list" as const, params: cursor === undefined ? {} : { cursor } };
        const answer = await this.client.request(request, ListToolsResultSchema, { timeout: LIST_MS });
        for (const { name, description, inputSchema, annotations } of answer.tools) {
          const readOnly = annotations?.readOnlyHint === true ? { readOnly: true } : {};
          tools.push({ name, description, inputSchema: inputSchema as JsonObject, ...readOnly }); // a JSON schema
        }
        cursor = answer.nextCursor;
        if (cursor === undefined) break;
      }
    } catch (error) {
      throw this.failure("tools/list", error);
    }
    return tools;
  }

  /** A server that does not answer at all is ended: whoever waits for it learns of it, and the next call finds a new one. */
  private check(): Promise<void> {
    this.checking ??= this.look().finally(() => {
      this.checking = undefined;
    });
    return this.checking;
  }

  private async look(): Promise<void> {
    try {
      await this.client.ping({ timeout: this.patienceMs });
    } catch (error) {
      const answered = error instanceof McpError && error.code !== ErrorCode.RequestTimeout;
      if (!answered && this.alive) await this.close().catch(() => {});
    }
  }

  private failure(what: string, error: unknown): Error {
    const isAnswer =
      error instanceof McpError && error.code !== ErrorCode.ConnectionClosed && error.code !== ErrorCode.RequestTimeout;
    if (isAnswer && this.alive) {
      return new StepFailure("tool_failed", `${this.name}.${what} failed: ${error.message}`, undefined, { cause: error });
    }
    if (error instanceof StreamableHTTPError && error.code === 404) {
      void this.close().catch(() => {});
      return new SessionEnded(`The tool server "${this.name}" does not know this session any more.`);
    }
    const end = this.transport instanceof StdioTransport ? this.transport.end : undefined;
    const words = this.transport instanceof StdioTransport ? this.transport.lastWords.trim() : "";
    const why = end ? `its process ${end}` : wordsOf(error);
    const message = `The tool server "${this.name}" was lost in ${what}, which it may have done: ${why}.`;
    return new StepFailure("tool_server_lost", words ? `${message} It said: ${words}` : message, undefined, { cause: error });
  }

  /** For all whose calls are under way: the server does not say whose it is. */
  private tell(stream: "stderr" | "log", text: string, level?: LogLevel): void {
    for (const { work, mask } of this.users) {
      work.alive();
      work.log.write(stream, `${mask(text)}\n`, level);
    }
  }
}

const LEVELS: Record<string, LogLevel> = {
  debug: "debug",
  info: "info",
  notice: "info",
  warning: "warn",
  error: "error",
  critical: "error",
  alert: "error",
  emergency: "fatal",
};

function report({ progress, total, message }: Progress, { work, mask }: ToolUse): void {
  const share = total === undefined ? `${progress}` : `${progress} of ${total}`;
  const text = message ? `${share}: ${mask(message)}` : share;
  work.alive();
  work.tell({ tool_progress: text.slice(0, 200) });
  work.log.write("log", `${text}\n`);
}

function whyNot(error: unknown, transport: unknown, reach: Reach, startMs: number): string {
  const { code } = error as NodeJS.ErrnoException;
  if (reach.kind === "stdio" && code === "ENOENT") {
    return `there is no program ${JSON.stringify(reach.command)} on the worker's PATH, or no folder ${reach.cwd}`;
  }
  if (transport instanceof StdioTransport && transport.end) return `its process ${transport.end}`;
  if (error instanceof McpError && error.code === ErrorCode.RequestTimeout) return `it did not answer within ${startMs / 1000} s`;
  return wordsOf(error);
}

/** `fetch failed` says nothing; its cause does. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message || (error.cause as NodeJS.ErrnoException).code})` : "";
  return `${error.message.replace(/\.$/, "").slice(0, 1_000)}${cause}`;
}
