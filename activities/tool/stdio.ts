import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { ReadBuffer, serializeMessage } from "@modelcontextprotocol/sdk/shared/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { stepEnvironment } from "../environment.js";
import { guard } from "../launcher.js";
import { ownerMark, thisProcess } from "../process-owner.js";
import { recordStart, sweep } from "../sweep.js";
import type { Reach } from "./config.js";

/** How long a server whose input has ended may take to end by itself. */
const LEAVE_MS = 500;
/** How long after its exit something it has started may hold its output before that counts as ended. */
const DRAIN_MS = 100;
const LAST_WORDS = 1_000;

let started = 0;

/** A server's process and the line to it. Unlike the SDK's it leads a group that ends with this process, whatever way that ends. */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /** Each whole line of its standard error. */
  onstderr?: (line: string) => void;
  /** The end of what it has said there. */
  lastWords = "";
  /** How its process ended: `exited with code 1`. */
  end: string | undefined;

  private readonly marks = { LONGHAUL_OWNER: ownerMark(thisProcess()), LONGHAUL_OPERATION: "" };
  private child: ChildProcessWithoutNullStreams | undefined;
  private closing = false;
  private closed = false;

  constructor(
    private readonly reach: Reach & { kind: "stdio" },
    private readonly graceMs: number,
  ) {
    this.marks.LONGHAUL_OPERATION = `tools:${this.marks.LONGHAUL_OWNER}:${++started}`;
  }

  async start(): Promise<void> {
    const { command, args, env, cwd } = this.reach;
    const whole = stepEnvironment(this.marks, env);
    const child = spawn(command, args, { cwd, env: whole, detached: true, stdio: "pipe" });
    child.on("error", () => {}); // the first is thrown below; of a process that runs they say nothing
    await once(child, "spawn");
    this.child = child;
    const leader = child.pid ?? 0; // it has been spawned
    const record = recordStart(this.marks, leader);
    const letGo = guard({ leader, marks: this.marks });
    child.once("exit", (code, signal) => {
      this.end = signal ? `was killed by ${signal}` : `exited with code ${code}`;
      record.ended();
      letGo();
      setTimeout(() => this.over(), DRAIN_MS);
      if (!this.closing) void this.sweep().catch((error) => this.onerror?.(error as Error)); // what a crashed one has started
    });
    child.once("close", () => this.over());
    child.stdin.on("error", () => {}); // its exit is what counts
    this.read(child);
  }

  private read(child: ChildProcessWithoutNullStreams): void {
    const messages = new ReadBuffer();
    child.stdout.on("data", (data: Buffer) => {
      try {
        messages.append(data);
        for (let message = next(); message; message = next()) this.onmessage?.(message);
      } catch (error) {
        this.onerror?.(error as Error); // more than a line may hold: there is no going on
        void this.close();
      }
    });
    const next = (): JSONRPCMessage | null => {
      for (;;) {
        try {
          return messages.readMessage();
        } catch (error) {
          this.onerror?.(error as Error); // a line that is none of the protocol's, such as a print
        }
      }
    };
    let rest = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.lastWords = (this.lastWords + text).slice(-LAST_WORDS);
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.onstderr?.(line);
    });
    child.stderr.once("end", () => rest && this.onstderr?.(rest));
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.child?.stdin;
    if (!stdin?.writable) throw new Error("The server's process has ended.");
    if (!stdin.write(serializeMessage(message))) await Promise.race([once(stdin, "drain"), once(stdin, "close")]);
  }

  /** End the server and all that it has started: asked by the end of its input, then told by signals. */
  async close(): Promise<void> {
    const { child } = this;
    this.closing = true;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.stdin.end();
      await Promise.race([once(child, "exit"), sleep(LEAVE_MS)]);
    }
    if (child) await this.sweep();
    this.over();
  }

  private over(): void {
    if (this.closed) return;
    this.closed = true;
    this.child?.stdout.destroy();
    this.child?.stderr.destroy();
    this.onclose?.();
  }

  private sweep(): Promise<number> {
    return sweep(this.marks, this.graceMs);
  }
}
