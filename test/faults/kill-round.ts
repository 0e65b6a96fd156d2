import { setTimeout as sleep } from "node:timers/promises";
import { check, repetitions } from "./checker.js";
import { gather } from "./evidence.js";
import type { Finding } from "./finding.js";
import type { Harness, WatchedRun } from "./harness.js";
import { Random } from "./random.js";
import { counterLines } from "./traces.js";

export interface KillRoundOptions {
  seed: number;
  /** How often something is killed. */
  kills: number;
  /** Of this many steps each; more are started when these are over before all kills are done. */
  runs: number;
  steps: number;
  /** Runs under way at the same time. @default 3 */
  atOnce?: number;
  workflows?: readonly ("count-shell" | "count-activity" | "count-agent")[];
  /** Compare the projection with a rebuilt one at the end; the stack is down afterwards. */
  rebuilt: boolean;
  log?: (line: string) => void;
}

export interface KillRoundResult {
  runs: number;
  workerKills: number;
  treeKills: number;
  /** Steps of all runs. */
  steps: number;
  /** Steps that tell of an attempt lost with its worker: these may have acted twice. */
  stepsWithLostAttempts: number;
  /** Lines that were written once more after the kill of their worker: how much later than it, in milliseconds; 0: before it. */
  repeated: number[];
  /** Milliseconds from each kill until steps are done again that cannot be left over from before. */
  recoveries: number[];
  findings: Finding[];
}

/** Where the next kill comes after the one before, in milliseconds. */
const [SOONEST, LATEST] = [300, 5_000];
/** An agent's step takes ten times as long. */
const AGENT_STEPS = 3;
/** One in so many kills takes everything at once. */
const TREE_EVERY = 4;

/** Kill worker or everything with `kill -9` at seeded moments while runs count, until all runs are over; then check all. */
export async function killRound(harness: Harness, options: KillRoundOptions): Promise<KillRoundResult> {
  const { seed, kills, steps, atOnce = 3, workflows = ["count-shell", "count-activity"], rebuilt, log = () => {} } = options;
  const random = new Random(seed);
  const mine: WatchedRun[] = [];
  const under = new Set<Promise<void>>();
  let done = 0;
  const more = () => done < kills || mine.length < options.runs;

  async function start(): Promise<void> {
    const workflow = workflows[mine.length % workflows.length] ?? "count-shell";
    const run = await harness.count(workflow, workflow === "count-agent" ? Math.min(steps, AGENT_STEPS) : steps);
    mine.push(run);
    const over = harness.client.finished(run.id, 600_000).finally(() => under.delete(over));
    under.add(over);
  }

  const starting = (async () => {
    while (more()) {
      if (under.size < atOnce) await start();
      else await Promise.race(under);
    }
    await Promise.all(under);
  })();
  starting.catch(() => {}); // awaited below

  const recoveries: number[] = [];
  let treeKills = 0;
  while (done < kills) {
    await sleep(random.between(SOONEST, LATEST));
    const whole = random.between(1, TREE_EVERY) === 1;
    const before = totalLines(harness);
    const killed = Date.now();
    if (whole) {
      treeKills++;
      await harness.killAll();
      await harness.startAgain();
    } else await harness.kill9("worker");
    done++;
    const ms = (await goesOn(harness, before, under)) - killed;
    recoveries.push(ms);
    log(`kill ${done} of ${kills}: ${whole ? "everything" : "the worker"}; steps went on after ${(ms / 1000).toFixed(1)} s`);
  }
  await starting;

  const evidence = await gather(harness, { rebuilt });
  const told = evidence.runs.filter(({ run_id }) => mine.some(({ id }) => id === run_id));
  const lostIn = told.flatMap((run) => run.steps.filter(({ attempts }) => attempts.some(({ status }) => status === "lost")));
  return {
    runs: mine.length,
    workerKills: kills - treeKills,
    treeKills,
    steps: told.reduce((sum, run) => sum + run.steps.length, 0),
    stepsWithLostAttempts: lostIn.length,
    repeated: told.flatMap((run) => repetitions(run, evidence.kills).map(({ afterKillMs }) => afterKillMs)),
    recoveries,
    findings: check(evidence),
  };
}

function totalLines(harness: Harness): number {
  return harness.runs.reduce((sum, { counter }) => sum + counterLines(counter ?? "").length, 0);
}

/** When a worker is at work again: commands that outlive the killed one may write a line each before that. */
async function goesOn(harness: Harness, before: number, under: ReadonlySet<unknown>): Promise<number> {
  const orphans = under.size;
  for (const end = Date.now() + 60_000; Date.now() < end && under.size > 0; await sleep(20))
    if (totalLines(harness) > before + orphans) break;
  return Date.now();
}
