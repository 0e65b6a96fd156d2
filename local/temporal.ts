import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startLog } from "./log-file.js";
import { bypassProxyOnLoopback } from "./loopback.js";
import { freePort, requirePort } from "./ports.js";
import { commandOf, endProcess, isAlive, readMark, writeMark } from "./process-mark.js";

export { type FindTemporal, resolveTemporal } from "./temporal-binary.js";

export interface TemporalServer {
  /** host:port of its gRPC service. */
  address: string;
  /** Its own page; null when started without. */
  uiUrl: string | null;
  pid: number;
  /** Settles when the process is gone, asked to or not. */
  exited: Promise<void>;
  /** Ends it and returns once it is gone. */
  stop(): Promise<void>;
}

export interface StartTemporal {
  /** From `resolveTemporal`. */
  binary: string;
  /** Absolute; holds the data file, the log and the pid file. Made when missing. */
  dataDir: string;
  /** Of gRPC; default a free one. */
  port?: number | undefined;
  /** Of its own page; null for none. */
  uiPort: number | null;
  /** Default `default`. Made when missing. */
  namespace?: string;
  log?: (line: string) => void;
}

/** How long a finished run stays in Temporal: long enough that Longhaul's own retention decides. */
const RETENTION_DAYS = 3_650;
const START_MS = 60_000;

/** The first one settles as its data file is let go; a killed one loses nothing, for its log is written through. */
const STOP: [NodeJS.Signals, number][] = [
  ["SIGTERM", 15_000],
  ["SIGKILL", 5_000],
];

/**
 * Starts Temporal on its data file and returns once it answers and has the namespace. One that an earlier
 * start left behind is ended first: two on one file would damage it.
 *
 * @throws {Error} when the page's port is taken, or the server ends or stays silent for a minute (with the end of its log).
 */
export async function startTemporal(wanted: StartTemporal): Promise<TemporalServer> {
  const { binary, dataDir, uiPort, namespace = "default" } = wanted;
  bypassProxyOnLoopback();
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const pidFile = join(dataDir, "temporal.pid");
  await endLeftover(pidFile, dataFile(dataDir), wanted.log);
  if (uiPort !== null) await requirePort(uiPort, "127.0.0.1", "LONGHAUL_TEMPORAL_UI_PORT");

  const port = wanted.port ?? (await freePort());
  const address = `127.0.0.1:${port}`;
  const logFile = join(dataDir, "temporal.log");
  const child = launch(binary, flags({ dataDir, port, uiPort, namespace }), logFile);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const stop = async () => {
    const mark = readMark(pidFile);
    if (child.exitCode === null && child.signalCode === null && mark?.pid === child.pid && mark) await endProcess(mark, STOP);
    await rm(pidFile, { force: true });
  };

  if (child.pid !== undefined) writeMark(pidFile, child.pid);
  try {
    await Promise.race([ready(port, namespace), exited.then(() => Promise.reject(new Error("Temporal ended as it started.")))]);
  } catch (error) {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : error}\n${await endOf(logFile)}`, { cause: error });
  }
  return { address, uiUrl: uiPort === null ? null : `http://127.0.0.1:${uiPort}`, pid: child.pid ?? 0, exited, stop };
}

/**
 * Output goes straight to a file, and the group is its own: neither our end nor Ctrl-C in a terminal may reach it
 * before its turn. Of our environment, which holds secrets, it gets what a program needs to run.
 */
function launch(binary: string, args: string[], logFile: string): ChildProcess {
  const log = startLog(logFile);
  try {
    return spawn(binary, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
      detached: true,
      stdio: ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
}

function flags(on: { dataDir: string; port: number; uiPort: number | null; namespace: string }): string[] {
  const dynamic = [
    // Its HTTP API would take a start from any web page the user has open; no Host may use it.
    'frontend.httpAllowedHosts=["none.invalid"]',
    "frontend.WorkflowPauseEnabled=true",
    // The default paces the activities of one run at 50 ms each.
    "history.transferProcessorMaxPollRPS=2000",
    // Timers, and with them what is tried again, come up to a second late by default, which allows for hosts whose clocks differ. To be
    // more exact than this costs: those that are due together are read together, and each activity has one.
    'history.timerProcessorMaxTimeShift="50ms"',
    "history.timerProcessorMaxPollRPS=100",
    // It would ask its makers on the internet whether there is a newer version.
    "frontend.enableServerVersionCheck=false",
  ];
  return [
    ...["server", "start-dev", "--ip", "127.0.0.1", "--port", String(on.port), "--namespace", on.namespace],
    ...(on.uiPort === null ? ["--headless"] : ["--ui-port", String(on.uiPort), "--ui-disable-news-fetch"]),
    ...["--db-filename", dataFile(on.dataDir)],
    ...["journal_mode=wal", "synchronous=full"].flatMap((pragma) => ["--sqlite-pragma", pragma]),
    ...dynamic.flatMap((value) => ["--dynamic-config-value", value]),
    ...["--log-level", "warn", "--log-format", "json"],
  ];
}

function dataFile(dataDir: string): string {
  return join(dataDir, "temporal.db");
}

async function ready(port: number, namespace: string): Promise<void> {
  const address = `127.0.0.1:${port}`;
  const until = Date.now() + START_MS;
  const loading = loadClient();
  // A gRPC client that is refused once waits a second before it tries again; a bare connection costs nothing.
  while (!(await isListening(port)) && Date.now() < until) await sleep(20);
  const client = await loading;
  for (;;) {
    try {
      return await keepRunsLong(client, address, namespace);
    } catch (error) {
      if (Date.now() > until)
        throw new Error(`Temporal did not answer on ${address} within ${START_MS / 1000} s.`, { cause: error });
      await sleep(100);
    }
  }
}

type Client = Awaited<ReturnType<typeof loadClient>>;

/** Takes a third of a second, while the server starts. */
async function loadClient() {
  const [{ Connection }, { msToTs }] = await Promise.all([
    import("@temporalio/client"),
    import("@temporalio/common/lib/time.js"),
  ]);
  return { Connection, msToTs };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });
}

async function keepRunsLong({ Connection, msToTs }: Client, address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: 2_000 });
  try {
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    const retention = msToTs(`${RETENTION_DAYS} days`);
    if (String(config?.workflowExecutionRetentionTtl?.seconds) === String(retention.seconds)) return;
    await connection.workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: retention } });
  } finally {
    await connection.close();
  }
}

/** @param dataFile what the command of a server of ours names: the pid file of a copied home tells of another home's. */
async function endLeftover(pidFile: string, dataFile: string, log: (line: string) => void = () => {}): Promise<void> {
  const left = readMark(pidFile);
  if (left && isAlive(left) && commandOf(left.pid).includes(dataFile)) {
    log("Ending a Temporal server of an earlier start");
    if (!(await endProcess(left, STOP))) throw new Error(`Temporal of an earlier start (pid ${left.pid}) cannot be ended.`);
  }
  await rm(pidFile, { force: true });
}

async function endOf(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trim().split("\n").slice(-10).join("\n");
}
