import type { ServerSpec, ToolServer } from "./server.js";

export interface PoolOptions {
  /** Before a server without a call is closed. @default 60000 */
  idleMs?: number | undefined;
  /** Told what goes wrong beside the calls. */
  warn?: ((message: string, error: unknown) => void) | undefined;
}

/** A server that stays until it is released. */
export interface Lease {
  server: ToolServer;
  release(): void;
}

interface Member {
  started: Promise<ToolServer>;
  leases: number;
  idle: NodeJS.Timeout | undefined;
}

/** The servers that this process has under way, one for each key: started by the first call, closed some time after the last. */
export class ServerPool {
  private readonly members = new Map<string, Member>();
  private readonly stopper = new AbortController();

  constructor(private readonly options: PoolOptions = {}) {}

  /** @throws {StepFailure} `tool_server_failed`; the signal's reason, while others may go on waiting for the same server. */
  async lease(spec: ServerSpec, signal: AbortSignal): Promise<Lease> {
    const lease = await this.take(spec, signal);
    if (lease.server.alive) return lease;
    lease.release();
    this.members.delete(spec.key); // on its way out
    return this.take(spec, signal);
  }

  private async take(spec: ServerSpec, signal: AbortSignal): Promise<Lease> {
    const member = this.members.get(spec.key) ?? this.begin(spec);
    clearTimeout(member.idle);
    member.leases++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      if (--member.leases === 0 && this.members.get(spec.key) === member) this.rest(spec.key, member);
    };
    try {
      return { server: await untilAborted(member.started, signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** How many there are. */
  get size(): number {
    return this.members.size;
  }

  /** Close all. Nothing is started any more. */
  async stop(): Promise<void> {
    this.stopper.abort();
    const all = [...this.members.values()];
    this.members.clear();
    await Promise.all(all.map((member) => this.end(member)));
  }

  private begin(spec: ServerSpec): Member {
    if (this.stopper.signal.aborted) throw new Error("The worker is stopping: no tool server is started any more.");
    const member: Member = { started: spec.start(this.stopper.signal), leases: 0, idle: undefined };
    this.members.set(spec.key, member);
    const forget = () => {
      clearTimeout(member.idle);
      if (this.members.get(spec.key) === member) this.members.delete(spec.key);
    };
    // One that could not be started is tried again by the next call.
    member.started.then((server) => server.ended, forget).then(forget);
    return member;
  }

  private rest(key: string, member: Member): void {
    const close = () => {
      if (this.members.get(key) === member) this.members.delete(key);
      void this.end(member);
    };
    member.idle = setTimeout(close, this.options.idleMs ?? 60_000).unref();
  }

  private async end(member: Member): Promise<void> {
    clearTimeout(member.idle);
    const server = await member.started.catch(() => null);
    await server?.close().catch((error) => this.options.warn?.("A tool server could not be closed.", error));
  }
}

/** The promise's own end, or the signal's reason before it. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
