// `npm run recovery`: how long a run needs after `kill -9` of its worker, and whether a completed step is done again.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Moment, timeRecovery } from "./recovery-time.js";
import { withHarness } from "./scratch.js";

/** Milliseconds that a run of 20 steps of 200 ms may need, killed in step 9. */
const AFTER_READY = 3_500;
const AFTER_KILL = 5_000;
/** A worker that lived this long before it fell is not taken for one that cannot live. */
const SETTLE_MS = 12_000;

const { values } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
let met = true;
await withHarness("recovery", async (harness) => {
  // The first run of a worker pays for what later ones find.
  await harness.client.finished((await harness.count("count-shell", 3)).id);
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const moment of ["in mid-step", "between effect and report"] satisfies Moment[]) {
      await sleep(SETTLE_MS);
      const { killToReady, killToDone, readyToDone, stepsLeft, repeated, findings } = await timeRecovery(harness, moment);
      const kept = readyToDone <= AFTER_READY && killToDone <= AFTER_KILL && findings.length === 0;
      met &&= kept;
      console.log(
        `${kept ? "ok  " : "FAIL"} killed ${moment}: ready ${seconds(killToReady)} after the kill; done ${seconds(killToDone)} after the kill, ` +
          `${seconds(readyToDone)} after ready (${seconds(stepsLeft * 200)} of work left); lines repeated: ${repeated}`,
      );
      for (const finding of findings) console.log(`     ${finding.invariant}: ${finding.what}`);
    }
  }
});
console.log(
  `${met ? "The bar is met" : "The bar is NOT met"}: within ${AFTER_READY / 1000} s of ready and ${AFTER_KILL / 1000} s of the kill, no completed step again.`,
);
process.exit(met ? 0 : 1);

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
