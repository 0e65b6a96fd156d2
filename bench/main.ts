// `npm run bench -- [rounds] [part …]`: Longhaul against the same activities on raw Temporal, on the same server, in turns.
// Parts: latency, throughput, start, file, long, machinery, compile; all of them when none is named. Large plans, and an agent's
// turn against the same turn by hand, take minutes and must be named: `npm run bench -- 1 plans` (all four, or those
// with a word that follows: `1 plans code`), `npm run bench -- 10 agent`.
// Prints ratios; absolute times are this machine's and are shown only to explain them.
import { fork } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readConfig } from "../config.js";
import { openDatabase } from "../db/database.js";
import { unsettledExecutions } from "../db/executions.js";
import { startModelServer } from "../local/model-server.js";
import { freePort } from "../local/ports.js";
import { removeOutside } from "../local/postgres-account.js";
import { startStack } from "../local/stack.js";
import { builtFile } from "../package-root.js";
import { agentTurns } from "./agent.js";
import { compiling } from "./compiling.js";
import { type Engine, longhaulEngine, rawEngine } from "./engines.js";
import { machinery } from "./machinery.js";
import { plans } from "./plans.js";
import { bundledToFinished, bundleRaw, savedToFinished } from "./saved-file.js";
import { ticksFile } from "./ticks-workflow.js";

const [asked = "5", ...parts] = process.argv.slice(2);
const rounds = Number(asked);
/** Temporal keeps timers for what a burst has done, of 10 s and of 20 s: they are not to end in the other one's time. */
const BURST_REST_MS = 22_000;
const wanted = (part: string) => parts.length === 0 || parts.includes(part);
const folder = mkdtempSync(join(tmpdir(), "longhaul-bench-"));
chmodSync(folder, 0o711); // Postgres, which is another user when we are root, has to find its way in
const project = join(folder, "project");
mkdirSync(join(project, ".agent/workflows/definitions"), { recursive: true });
writeFileSync(join(project, ".agent/workflows/definitions/ticks.ts"), ticksFile);

await bundleRaw(builtFile("bench/raw-bundle.cjs"));
const model = parts.includes("agent") ? await startModelServer() : undefined;
if (model) Object.assign(process.env, { ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: "scripted-model" });
const settings = { LONGHAUL_PORT: String(await freePort()), LONGHAUL_LOG: "warn", LONGHAUL_ALLOW_BYPASS: "on" };
const config = readConfig({ ...settings, LONGHAUL_HOME: join(folder, "home") });
const stack = await startStack(config, { temporalUi: false });
const database = openDatabase(stack.databaseUrl);
const rawPort = await freePort();
const rawProcess = fork(builtFile("bench/raw-main.js"), [], {
  env: { ...process.env, TEMPORAL_ADDRESS: stack.temporalAddress, PORT: String(rawPort) },
});
try {
  await new Promise((resolve) => rawProcess.once("message", resolve));
  const raw = rawEngine(`http://127.0.0.1:${rawPort}`);
  const ours = await longhaulEngine(stack.url, stack.token ?? "", project);
  await Promise.all([raw.run(5), ours.run(5)]);

  if (wanted("latency")) await compare("latency per step, 1 run of 100 steps [ms]", "lower", 1.25, perStep, rounds * 3);
  if (wanted("throughput")) {
    // Both as warm as they will be: V8 compiles for two bursts.
    for (const engine of [raw, ours, raw, ours, raw, ours]) await throughput(engine);
    await settled();
    await sleep(BURST_REST_MS);
    await compare("throughput, 50 runs of 20 steps [steps/s]", "higher", 0.75, throughput, rounds, BURST_REST_MS);
  }
  if (wanted("start")) await compare("start to first step, over HTTP [ms]", "lower", 2.0, toFirstStep, rounds * 2);
  if (wanted("file")) await savedFile(raw, ours);
  if (wanted("long")) await longRun(ours);
  if (wanted("machinery")) await machinery(folder, stack.databaseUrl);
  if (wanted("compile")) await compiling(folder);
  if (parts.includes("agent")) await agentTurn();
  const largePlans = parts.indexOf("plans");
  if (largePlans >= 0) await plans({ url: stack.url, token: stack.token ?? "" }, folder, rounds, parts.slice(largePlans + 1));
} finally {
  rawProcess.disconnect();
  await database.close();
  await stack.stop();
  await model?.stop();
  removeOutside(join(folder, "home", "postgres"));
  rmSync(folder, { recursive: true, force: true });
}

async function perStep(engine: Engine): Promise<number> {
  const { times } = await engine.run(100);
  return ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 99;
}

async function throughput(engine: Engine): Promise<number> {
  const began = Date.now();
  const runs = await Promise.all(Array.from({ length: 50 }, () => engine.run(20)));
  const last = Math.max(...runs.map(({ times }) => times.at(-1) ?? 0));
  return (50 * 20) / ((last - began) / 1_000);
}

async function toFirstStep(engine: Engine): Promise<number> {
  const { asked, times } = await engine.run(1);
  return (times[0] ?? 0) - asked;
}

async function longRun(engine: Engine): Promise<void> {
  const { times } = await engine.run(2_000);
  const span = (from: number, to: number) => ((times[to] ?? 0) - (times[from] ?? 0)) / (to - from);
  const [first, last] = [span(0, 99), span(1_900, 1_999)];
  report("one run of 2,000 steps: last 100 against first 100 [ms a step]", last, first, "lower", 1.2);
}

/** An agent's turn as a step, against the same turn by hand. */
async function agentTurn(): Promise<void> {
  const turns = await agentTurns(stack.url, stack.token ?? "", folder);
  const [ours, byHand]: [number[], number[]] = [[], []];
  for (const way of [turns.byHand, turns.step]) await way(); // once for the first time
  for (let round = 0; round < rounds; round++) {
    const step = async () => {
      ours.push(await turns.step());
      await settled();
    };
    const hand = async () => void byHand.push(await turns.byHand());
    for (const way of round % 2 === 0 ? [step, hand] : [hand, step]) await way();
  }
  const ratios = ours.map((value, round) => value / (byHand[round] ?? Number.NaN));
  report("an agent's turn of three answers, against the CLI by hand [ms]", median(ours), median(byHand), "lower", 1.1, ratios);
}

/** A saved file against the same change by bundling again. */
async function savedFile(raw: Engine, ours: Engine): Promise<void> {
  const file = join(project, ".agent/workflows/definitions/ticks.ts");
  const api = { url: stack.url, token: stack.token ?? "" };
  const [saved, bundled]: [number[], number[]] = [[], []];
  for (let round = 0; round < 3; round++) {
    bundled.push(await bundledToFinished(raw));
    saved.push(await savedToFinished(ours, file, ticksFile, api));
  }
  report("saved file to finished run, against bundling again [ms]", median(saved), median(bundled), "lower", 0.33);
}

/** Both in turns, round by round: a machine's speed changes more between rounds than in one. */
async function compare(
  what: string,
  better: "lower" | "higher",
  bar: number,
  measure: (engine: Engine) => Promise<number>,
  times = rounds,
  rest = 0,
): Promise<void> {
  const figures: { ours: number[]; raw: number[] } = { ours: [], raw: [] };
  const engines = {
    raw: rawEngine(`http://127.0.0.1:${rawPort}`),
    ours: await longhaulEngine(stack.url, stack.token ?? "", project),
  };
  for (let round = 0; round < times; round++) {
    const order = round % 2 === 0 ? (["raw", "ours"] as const) : (["ours", "raw"] as const);
    for (const name of order) {
      figures[name].push(await measure(engines[name]));
      if (name === "ours") await settled();
      await sleep(rest);
    }
  }
  const ratios = figures.ours.map((value, round) => value / (figures.raw[round] ?? Number.NaN));
  report(what, median(figures.ours), median(figures.raw), better, bar, ratios);
}

/** What Longhaul does once runs are over, replays and their folders, is not to be in the other one's way. */
async function settled(): Promise<void> {
  while ((await unsettledExecutions(database, { finished: true })).length > 0) await sleep(200);
  await sleep(4_000); // and a last look at their folders
}

/** @param ratios of the rounds; the figure is their geometric mean, and the factor by which it may be off, at one standard error. */
function report(what: string, ours: number, raw: number, better: "lower" | "higher", bar: number, ratios = [ours / raw]): void {
  const logs = ratios.map(Math.log);
  const ratio = Math.exp(mean(logs));
  const holds = better === "lower" ? ratio <= bar : ratio >= bar;
  const sign = better === "lower" ? "<=" : ">=";
  const rounds = ratios.length > 1 ? `, rounds ${ratios.map((one) => one.toFixed(2)).join(" ")}` : "";
  const within = ratios.length > 1 ? ` ± ${(ratio * (Math.exp(standardError(logs)) - 1)).toFixed(2)}` : "";
  console.log(
    `${what}: ${ours.toFixed(1)} / ${raw.toFixed(1)} = ${ratio.toFixed(2)}${within} (bar ${sign} ${bar}: ${holds ? "holds" : "FALLS SHORT"}${rounds})`,
  );
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function standardError(values: number[]): number {
  const middle = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
  return Math.sqrt(variance / values.length);
}
