import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { startLog } from "./log-file.js";
import { freePort } from "./ports.js";
import { type Account, canReach, makeFolderOf, placeOutside, postgresAccount } from "./postgres-account.js";
import { installedBinaries, usableBinaries } from "./postgres-binaries.js";
import { endLeftovers } from "./postgres-leftovers.js";
import { endProcess, markOf } from "./process-mark.js";

const run = promisify(execFile);

export interface PostgresServer {
  /** With user and password, for the database `longhaul`. */
  url: string;
  pid: number;
  /** Where the data really lies; outside the home when root's home hides it from the account Postgres runs as. */
  folder: string;
  /** Settles when the process is gone, asked to or not. */
  exited: Promise<void>;
  /** Ends it at the next moment no query is lost (fast shutdown) and returns once it is gone. */
  stop(): Promise<void>;
}

export interface StartPostgres {
  /** Absolute; holds password and log, and the data when Postgres can reach it. Made when missing. */
  dataDir: string;
  /** Default a free one. Only 127.0.0.1 is listened on. */
  port?: number | undefined;
  log?: (line: string) => void;
}

const USER = "longhaul";
const DATABASE = "longhaul";
const START_MS = 60_000;
const WRONG_PASSWORD = "28P01";

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  fsync: "on",
  synchronous_commit: "on",
  timezone: "UTC",
  log_min_messages: "warning",
};

/** SIGINT is the fast shutdown; the others are for one that does not come to an end. */
const STOP: [NodeJS.Signals, number][] = [
  ["SIGINT", 20_000],
  ["SIGQUIT", 5_000],
  ["SIGKILL", 5_000],
];

/**
 * Starts the Postgres that npm installed, making its data on the first start, and returns once it answers.
 * What a killed start left behind is put right first: an orphaned server is ended, a half-made data folder made anew.
 *
 * @throws {Error} when the npm package is missing, the data is of another major version, or the server does not come up.
 */
export async function startPostgres(wanted: StartPostgres): Promise<PostgresServer> {
  const { log = () => {} } = wanted;
  const installed = installedBinaries();
  const account = postgresAccount();
  mkdirSync(wanted.dataDir, { recursive: true, mode: account ? 0o711 : 0o700 });
  const dataDir = realpathSync(wanted.dataDir);
  const base = account && !canReach(account, dataDir) ? placeOutside(account, dataDir, log) : dataDir;
  const bin = join(usableBinaries(installed, base, account), "bin");
  const data = join(base, "data");
  const password = keptPassword(join(dataDir, "password"));

  await endLeftovers(data, STOP, log);
  if (!existsSync(join(data, "PG_VERSION"))) {
    log("Making the Postgres database");
    await makeData({ bin, data, base, password, account });
  }
  requireVersion(data, installed.version);

  const port = wanted.port ?? (await freePort());
  const logFile = join(dataDir, "postgres.log");
  const child = launch(join(bin, "postgres"), ["-D", data, ...settings(port)], logFile, account);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const mark = markOf(child.pid ?? 0);
  const stop = async () => void (mark && (await endProcess(mark, STOP)));

  const url = (database: string) => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
  try {
    await Promise.race([ready(url("postgres")), exited.then(() => Promise.reject(new Error("Postgres ended as it started.")))]);
  } catch (error) {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : error}\n${endOf(logFile)}`, { cause: error });
  }
  return { url: url(DATABASE), pid: child.pid ?? 0, folder: base, exited, stop };
}

/** Made under another name and renamed when whole, so that what is called `data` is always complete. */
async function makeData(on: {
  bin: string;
  data: string;
  base: string;
  password: string;
  account: Account | undefined;
}): Promise<void> {
  const { bin, data, base, password, account } = on;
  for (const half of readdirSync(base).filter((name) => name.startsWith("data.new-")))
    rmSync(join(base, half), { recursive: true });
  if (existsSync(data)) renameSync(data, `${data}.incomplete-${Date.now()}`);

  const fresh = `${data}.new-${process.pid}`;
  makeFolderOf(account, fresh);
  // Inside, where the account may read it; initdb wants an empty folder, hence one level more.
  const passwordFile = join(fresh, "password");
  writeFileSync(passwordFile, password, { mode: account ? 0o644 : 0o600 });
  const locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
  const who = [`--username=${USER}`, "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
  await run(join(bin, "initdb"), ["-D", join(fresh, "data"), ...who, ...locale, "--no-instructions"], {
    ...as(account),
    cwd: base,
  });
  rmSync(passwordFile);
  renameSync(join(fresh, "data"), data);
  rmSync(fresh, { recursive: true });
}

function requireVersion(data: string, installed: string): void {
  const made = readFileSync(join(data, "PG_VERSION"), "utf8").trim();
  const major = installed.split(".")[0];
  if (made === major) return;
  throw new Error(
    `The data in ${data} is of Postgres ${made}, and ${major} is installed. Use the Longhaul release that made it, or set DATABASE_URL.`,
  );
}

/** Its own group, so that Ctrl-C in a terminal reaches it only when its turn has come; its log a file, so that it may outlive us. */
function launch(program: string, args: string[], logFile: string, account: Account | undefined): ChildProcess {
  const log = startLog(logFile);
  try {
    return spawn(program, args, { ...as(account), detached: true, cwd: "/", stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}

/** Nothing of our environment but what a program needs to run: settings named PG… of the user would change it. */
function as(account: Account | undefined): { env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  const env = { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
  return account ? { env, uid: account.uid, gid: account.gid } : { env };
}

function settings(port: number): string[] {
  return Object.entries({ ...SETTINGS, port: String(port) }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

async function ready(adminUrl: string): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 2_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [DATABASE]);
      if (!rowCount) await client.query(`create database ${DATABASE}`);
      return;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === WRONG_PASSWORD) {
        throw new Error(
          "Postgres does not accept the password kept beside its data: one of the two was put back without the other.",
        );
      }
      if (Date.now() > until) throw new Error(`Postgres did not answer within ${START_MS / 1000} s.`, { cause: error });
    } finally {
      await client.end().catch(() => {});
    }
    await sleep(50);
  }
}

function keptPassword(file: string): string {
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  const password = randomBytes(24).toString("hex");
  writeFileSync(`${file}.new`, password, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return password;
}

function endOf(file: string): string {
  return readFileSync(file, "utf8").trim().split("\n").slice(-10).join("\n");
}
