import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../local/ports.js";
import { startPostgres } from "../../local/postgres.js";
import { resolveTemporal, startTemporal } from "../../local/temporal.js";

/** A server on a fixed address that a test takes away and gives back; nobody else starts it again. */
export interface OutageServer {
  /** `host:port` of Temporal, URL of Postgres. */
  address: string;
  /** End it and all its processes as `kill -9` does. */
  kill(): void;
  /** End it in order. */
  stop(): Promise<void>;
  /** Start it on its data and address; returns once it answers. */
  start(): Promise<void>;
  /** Stop it and all its processes where they are: connections stay open, and nobody answers. */
  freeze(): void;
  /** Have them go on. */
  thaw(): void;
  /** `kill`, nothing for so long, `start`. */
  outage(ms: number): Promise<void>;
}

interface Process {
  pid: number;
  stop(): Promise<void>;
}

/** @param folder absolute; other accounts may pass through it. */
export async function outageTemporal(folder: string): Promise<OutageServer> {
  const binary = await temporalBinary();
  const port = await freePort();
  const start = () => startTemporal({ binary, dataDir: join(folder, "temporal"), port, uiPort: null });
  return under(await start(), start, `127.0.0.1:${port}`);
}

/** @param folder absolute; other accounts may pass through it. */
export async function outagePostgres(folder: string): Promise<OutageServer> {
  const port = await freePort();
  const start = () => startPostgres({ dataDir: join(folder, "postgres"), port });
  const first = await start();
  return under(first, start, first.url);
}

/** The binary that all tests share: fetched once. */
export function temporalBinary(): Promise<string> {
  const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "longhaul");
  return resolveTemporal({ setting: process.env.LONGHAUL_TEMPORAL_BIN, cacheFolder });
}

function under(first: Process, start: () => Promise<Process>, address: string): OutageServer {
  let server: Process | undefined = first;
  const signalAll = (signal: NodeJS.Signals) => {
    if (server) for (const pid of withDescendants(server.pid)) send(pid, signal);
  };
  const self: OutageServer = {
    address,
    kill() {
      signalAll("SIGKILL");
      server = undefined;
    },
    freeze: () => signalAll("SIGSTOP"),
    thaw: () => signalAll("SIGCONT"),
    async stop() {
      const last = server;
      server = undefined;
      await last?.stop();
    },
    async start() {
      server ??= await start();
    },
    async outage(ms) {
      self.kill();
      await sleep(ms);
      await self.start();
    },
  };
  return self;
}

/** Children of Postgres lead groups of their own, so a group is not enough. */
function withDescendants(pid: number): number[] {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
  return [pid, ...children.flatMap(withDescendants)];
}

function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
