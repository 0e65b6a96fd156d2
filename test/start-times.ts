// `npm run start-times`: how long `npm start` takes, from the start of its process to the first finished run.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isFinished } from "../contract/run.js";
import { freePort } from "../local/ports.js";
import { builtFile, packageRoot } from "../package-root.js";
import { FaultClient } from "./faults/client.js";
import { removePostgres } from "./faults/harness.js";
import { temporalBinary } from "./faults/servers.js";
import { makeRepository } from "./support/repository.js";

/** Milliseconds to the first finished run: on a home that is not there yet, and on one that is. */
const COLD = 8_000;
const WARM = 5_000;

/** Milliseconds since the process was started. */
interface Times {
  /** The addresses were printed: the API is ready. */
  ready: number;
  /** The worker's log said that it takes work. */
  worker: number;
  /** The run was accepted: for that its workflow has to be known. */
  accepted: number;
  finished: number;
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
let met = true;
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const [what, times, limit] of await timeRound()) {
    met &&= times.finished < limit;
    const { finished, ready, worker, accepted } = times;
    console.log(
      `${finished < limit ? "ok  " : "FAIL"} ${what} start: first run finished after ${seconds(finished)} ` +
        `(API ready ${seconds(ready)}, worker takes work ${seconds(worker)}, run accepted ${seconds(accepted)}; load ${loadavg()[0]?.toFixed(1)})`,
    );
  }
}
console.log(`${met ? "The bar is met" : "The bar is NOT met"}: cold under ${COLD / 1000} s, warm under ${WARM / 1000} s.`);
process.exit(met ? 0 : 1);

/** A first start, and a second one on what it left. */
async function timeRound(): Promise<[string, Times, number][]> {
  const folder = mkdtempSync(join(tmpdir(), "longhaul-start-times-"));
  // Postgres runs as another user when we are root.
  chmodSync(folder, 0o711);
  try {
    const project = await makeRepository(folder);
    const definitions = join(project, ".agent", "workflows", "definitions");
    mkdirSync(definitions, { recursive: true });
    copyFileSync(join(packageRoot, "examples", "hello.ts"), join(definitions, "hello.ts"));
    await placeTemporal(join(folder, "home", "bin"));
    return [
      ["cold", await timeStart(folder, project), COLD],
      ["warm", await timeStart(folder, project), WARM],
    ];
  } finally {
    removePostgres(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Where `npm start` keeps it once it has fetched it. */
async function placeTemporal(folder: string): Promise<void> {
  const binary = await temporalBinary();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  copyFileSync(binary, join(folder, basename(binary)));
}

async function timeStart(folder: string, project: string): Promise<Times> {
  const port = await freePort();
  const token = "a-token-for-start-times";
  const log = join(folder, "home", "logs", "worker.log");
  const logged = existsSync(log) ? readFileSync(log, "utf8").length : 0;
  const env = {
    ...process.env,
    LONGHAUL_HOME: join(folder, "home"),
    LONGHAUL_PORT: String(port),
    LONGHAUL_TEMPORAL_UI_PORT: String(await freePort()),
    LONGHAUL_TEMPORAL_BIN: undefined,
    LONGHAUL_TOKEN: token,
  };

  const began = Date.now();
  const server = spawn(process.execPath, [builtFile("local/start.js")], { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  server.stderr.on("data", (data) => (said += data));
  const ready = new Promise<number>((resolve, reject) => {
    server.stdout.once("data", () => resolve(Date.now() - began));
    server.once("exit", () => reject(new Error(`It did not start:\n${said}`)));
  });
  try {
    const readyAfter = await ready;
    const client = new FaultClient(`http://127.0.0.1:${port}`, token);
    // A project that is known is answered as it is.
    const id = await projectOf(client, project);
    const run = await firstRun(client, id);
    const accepted = Date.now() - began;
    const finished = (await completed(client, run)) - began;
    return { ready: readyAfter, worker: workerReady(readFileSync(log, "utf8").slice(logged)) - began, accepted, finished };
  } finally {
    await ended(server);
  }
}

async function projectOf(client: FaultClient, path: string): Promise<string> {
  const [known] = await client.all("/api/projects");
  if (known) return known.id;
  const { body } = await client.insist("POST", "/api/projects", { body: { path } });
  return body.data.id;
}

/** Asked for until the definition has been found. */
async function firstRun(client: FaultClient, project_id: string): Promise<string> {
  for (;;) {
    const { status, body } = await client.ask("POST", "/api/runs", { body: { workflow: "hello", project_id } });
    if (status < 300) return body.data.id;
    if (status !== 404 && status < 500) throw new Error(`The run was answered with ${status}: ${JSON.stringify(body)}`);
    await sleep(20);
  }
}

async function completed(client: FaultClient, run: string): Promise<number> {
  for (;;) {
    const { status } = (await client.ask("GET", `/api/runs/${run}`)).body.data;
    if (status === "completed") return Date.now();
    if (isFinished(status)) throw new Error(`The run is ${status}.`);
    await sleep(20);
  }
}

function workerReady(log: string): number {
  const line = log.split("\n").find((text) => text.includes("The worker takes work.")) ?? "{}";
  return JSON.parse(line).time ?? Number.NaN;
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  await exit;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
