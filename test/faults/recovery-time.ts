import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkRun } from "./checker.js";
import { gather } from "./evidence.js";
import type { Finding } from "./finding.js";
import type { Harness } from "./harness.js";
import { counterLines } from "./traces.js";

/** When the worker dies in its step: while the command runs and has not acted, or with the outcome recorded and not reported. */
export type Moment = "in mid-step" | "between effect and report";

export interface RecoveryTime {
  moment: Moment;
  /** Milliseconds. */
  killToReady: number;
  killToDone: number;
  readyToDone: number;
  /** Steps of 200 ms that were still to do when it died. */
  stepsLeft: number;
  /** Lines above one for each step. */
  repeated: number;
  findings: Finding[];
}

const STEPS = 20;
const STEP = 9;
/** After the line of the step before, which then has 50 ms to go: in the middle of the 150 ms before the effect. */
const INTO_STEP_MS = 120;

/** Kill the worker with `kill -9` in step 9 of a run of 20 steps of 200 ms, and see how long the run needs from there. */
export async function timeRecovery(harness: Harness, moment: Moment): Promise<RecoveryTime> {
  if (moment === "between effect and report") harness.order(`activity:recorded ${STEP}`);
  const run = await harness.count("count-shell", STEPS);
  if (moment === "between effect and report") await harness.followed();
  else {
    while (!counterLines(run.counter ?? "").includes(String(STEP - 1))) await sleep(2);
    await sleep(INTO_STEP_MS);
    await harness.kill9("worker");
  }
  const killed = Date.now();
  await run.stream.done;
  const done = Date.now();
  const ready = readyAfter(harness, killed);

  const evidence = (await gather(harness, { afterwards: false })).runs.find(({ run_id }) => run_id === run.id);
  return {
    moment,
    killToReady: ready - killed,
    killToDone: done - killed,
    readyToDone: done - ready,
    stepsLeft: STEPS - STEP + (moment === "in mid-step" ? 1 : 0),
    repeated: counterLines(run.counter ?? "").length - STEPS,
    findings: evidence ? checkRun(evidence, harness.kills) : [],
  };
}

/** When the first worker that began after this moment said that it takes work. */
function readyAfter(harness: Harness, moment: number): number {
  const file = join(harness.home, "logs", "worker.log");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  for (const line of text.split("\n")) {
    if (!line.includes("The worker takes work.")) continue;
    const { time }: { time: number } = JSON.parse(line);
    if (time >= moment) return time;
  }
  throw new Error("No worker became ready after the kill.");
}
