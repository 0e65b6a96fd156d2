import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { apiUrl, type Config } from "../config.js";
import { builtFile } from "../package-root.js";
import { type Addresses, childEnvironment } from "./child-environment.js";
import { accessToken, openHome } from "./home.js";
import { keepServer } from "./kept-server.js";
import { bypassProxyOnLoopback } from "./loopback.js";
import { requirePort } from "./ports.js";
import { type PostgresServer, startPostgres } from "./postgres.js";
import { type Supervised, supervise } from "./processes.js";
import { resolveTemporal, startTemporal, type TemporalServer } from "./temporal.js";

/** Longhaul, running on this machine. */
export interface Stack {
  /** Absolute. */
  home: string;
  /** Of the API and the page. */
  url: string;
  /** What clients of the API must show; null when LONGHAUL_AUTH is off. */
  token: string | null;
  temporalAddress: string;
  /** Temporal's own page, when there is one. */
  temporalUiUrl: string | null;
  databaseUrl: string;
  /** Processes as they are now; undefined for one that is not ours or between two lives. */
  pids(): { worker: number | undefined; api: number | undefined; temporal: number | undefined; postgres: number | undefined };
  /** Ends everything in order: worker and API, Temporal, Postgres. Returns once all are gone. */
  stop(): Promise<void>;
  /** Ends everything at once, as a loss of power would; the next start puts it right. */
  kill(): void;
}

/** A script to run in place of the real one. */
export interface ChildScript {
  /** Absolute. */
  script: string;
  args?: string[];
}

export interface StackOptions {
  /** Default the built one; null for none. */
  worker?: ChildScript | null;
  /** Default the built one; null for none, and then nobody is waited for. */
  api?: ChildScript | null;
  /** Default true. */
  temporalUi?: boolean;
  /** Told what goes on, a line each time. */
  log?: (line: string) => void;
  /** Gives up a start that is under way, and undoes it. */
  signal?: AbortSignal;
}

const SLOW_MS = 1_000;
const READY_MS = 120_000;
/** A child that ended this often before it was ever ready will not become so. */
const HOPELESS = 3;

/**
 * Brings up Temporal and Postgres (where `config` names none to use), then the schema, then worker and API, and returns
 * once the API says it is ready. What a killed start left behind is ended first. On a failure nothing stays behind.
 *
 * @throws {Error} a sentence for the reader: home in use, port taken, no binary, a child that does not come up.
 */
export async function startStack(config: Config, options: StackOptions = {}): Promise<Stack> {
  const { log = () => {}, signal } = options;
  bypassProxyOnLoopback();
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    const failures: unknown[] = [];
    for (const end of undo.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };

  try {
    const workerScript = scriptOf("worker", options.worker);
    const apiScript = scriptOf("api", options.api);
    const home = openHome(config.home);
    undo.push(() => home.close());
    if (apiScript) await requirePort(config.port, config.host, "LONGHAUL_PORT");

    const servers = allOrNone([bringUpPostgres(config, home.path, log), bringUpTemporal(config, home.path, options)]);
    // Takes a while, too, and can be had meanwhile.
    const migrating = import("../db/migrate.js");
    const [postgres, temporal] = await servers;
    if (postgres) undo.push(() => postgres.stop());
    if (temporal) undo.push(() => temporal.stop());
    signal?.throwIfAborted();

    const addresses: Addresses = {
      temporalAddress: temporal?.current().address ?? config.temporalAddress ?? "",
      temporalUiUrl: temporal?.current().uiUrl ?? config.temporalUiUrl ?? null,
      databaseUrl: postgres?.current().url ?? config.databaseUrl ?? "",
    };
    await slowly(
      "Bringing the database to the newest schema",
      log,
      bringUpSchema(migrating, addresses.databaseUrl, postgres === undefined),
    );
    signal?.throwIfAborted();

    const token = accessToken(home.path, config.token);
    const begin = (name: string, child: ChildScript | undefined, env: NodeJS.ProcessEnv) =>
      child && supervise({ name, ...child, env, logFile: join(home.path, "logs", `${name}.log`) }, log);
    const worker = begin("worker", workerScript, childEnvironment(config, home.path, addresses));
    const api = begin("api", apiScript, childEnvironment(config, home.path, addresses, token));
    undo.push(async () => void (await Promise.all([worker?.stop(), api?.stop()])));

    const url = apiUrl({ ...config, url: undefined });
    if (api) await slowly("Waiting for the API", log, ready(url, [worker, api], signal));
    const pids = () => ({
      worker: worker?.pid(),
      api: api?.pid(),
      temporal: temporal?.current().pid,
      postgres: postgres?.current().pid,
    });
    const kill = () => {
      worker?.kill();
      api?.kill();
      temporal?.kill();
      postgres?.kill();
      home.close();
    };
    return { home: home.path, url, token: config.auth === "off" ? null : token, ...addresses, pids, stop, kill };
  } catch (error) {
    await stop();
    throw error;
  }
}

function bringUpPostgres(config: Config, home: string, log: (line: string) => void) {
  if (config.databaseUrl !== undefined) return Promise.resolve(undefined);
  const start = (ended?: PostgresServer) =>
    startPostgres({ dataDir: join(home, "postgres"), port: ended && Number(new URL(ended.url).port), log });
  return slowly("Starting Postgres", log, keepServer("Postgres", start, log));
}

async function bringUpTemporal(config: Config, home: string, options: StackOptions) {
  const { log = () => {}, temporalUi = true } = options;
  if (config.temporalAddress !== undefined) return undefined;
  const binary = await resolveTemporal({ setting: config.temporalBin, cacheFolder: join(home, "bin"), log });
  const start = (ended?: TemporalServer) =>
    startTemporal({
      binary,
      dataDir: join(home, "temporal"),
      port: ended && Number(ended.address.split(":").at(-1)),
      uiPort: temporalUi ? config.temporalUiPort : null,
      namespace: config.temporalNamespace,
      log,
    });
  return slowly("Starting Temporal", log, keepServer("Temporal", start, log));
}

/** @param outside whether the address came from DATABASE_URL, which a failure then names. */
async function bringUpSchema(
  loading: Promise<typeof import("../db/migrate.js")>,
  databaseUrl: string,
  outside: boolean,
): Promise<void> {
  const { migrate } = await loading;
  try {
    await migrate(databaseUrl);
  } catch (error) {
    const why = error instanceof Error ? error.message || String(error) : String(error);
    throw outside ? new Error(`The database of DATABASE_URL cannot be used: ${why}`, { cause: error }) : error;
  }
}

async function ready(url: string, children: (Supervised | undefined)[], signal: AbortSignal | undefined): Promise<void> {
  const until = Date.now() + READY_MS;
  for (;;) {
    signal?.throwIfAborted();
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    const text = (await answer?.text().catch(() => "")) ?? "no answer";
    if (answer?.status === 200) return;

    const fallen = children.find((child) => child && child.falls() >= HOPELESS);
    if (fallen) throw new Error(`The ${fallen.name} does not start. It said:\n${fallen.lastLines()}`);
    if (Date.now() > until) throw new Error(`${url}/readyz is not ready after ${READY_MS / 1000} s: ${text}`);
    await sleep(50);
  }
}

/** Says what is going on when it takes longer than a reader waits without wondering. */
async function slowly<T>(what: string, log: (line: string) => void, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => log(`${what} …`), SLOW_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for both; when one fails the other is stopped once it is up, and the failure thrown. */
async function allOrNone<A extends Stoppable | undefined, B extends Stoppable | undefined>(
  work: [Promise<A>, Promise<B>],
): Promise<[A, B]> {
  const [first, second] = await Promise.allSettled(work);
  if (first.status === "fulfilled" && second.status === "fulfilled") return [first.value, second.value];
  for (const one of [first, second]) if (one.status === "fulfilled") await one.value?.stop();
  throw first.status === "rejected" ? first.reason : second.status === "rejected" ? second.reason : undefined;
}

interface Stoppable {
  stop(): Promise<void>;
}

function scriptOf(name: "worker" | "api", given: ChildScript | null | undefined): ChildScript | undefined {
  if (given !== undefined) return given ?? undefined;
  const script = builtFile(`local/${name}-main.js`);
  if (!existsSync(script)) throw new Error(`${script} is missing. Run \`npm run build\` first.`);
  return { script };
}
