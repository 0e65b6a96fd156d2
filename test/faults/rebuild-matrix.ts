// `npm run rebuilds`: many different runs, their projection dropped and made again, and every row of it compared.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { differences } from "./checker.js";
import type { Harness } from "./harness.js";
import { compareRebuilt } from "./mirror.js";
import { MIXED, type MixedRun, startMixed } from "./mixed-runs.js";
import { withHarness } from "./scratch.js";
import { withScriptedModel } from "./scripted-model.js";

const HELP = `npm run rebuilds -- [--runs 50] [--at-once 4]

Runs that succeed, fail, are tried again, time out, are cancelled, paused, terminated, lose their worker, are commented on
and given files, ask people, wait for events and start other runs, with agents and large outputs. When all are over the schema
"mirror" is dropped and rebuilt. Every row of runs, steps, attempts, comments, artifacts, checkpoints, sessions, tool calls,
output and events must be as it was.
`;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "50" },
    "at-once": { type: "string", default: "4" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

/** Files of a run's folder follow its rows by a second; closed runs are replayed once more. */
const SETTLE_MS = 5_000;

const sound = await withScriptedModel(() =>
  withHarness("rebuilds", (harness) => compare(harness, Number(values.runs), Number(values["at-once"])), { definitions: MIXED }),
);
process.exit(sound ? 0 : 1);

async function compare(harness: Harness, runs: number, atOnce: number): Promise<boolean> {
  const begun = Date.now();
  const wrong: string[] = [];
  const under = new Set<Promise<void>>();
  for (let n = 0; n < runs; n++) {
    while (under.size >= atOnce) await Promise.race(under);
    const one: Promise<void> = startMixed(harness, n)
      .then((mixed) => end(harness, mixed))
      .then((problem) => void (problem && wrong.push(problem)))
      .finally(() => under.delete(one));
    under.add(one);
  }
  await Promise.all(under);
  await sleep(SETTLE_MS);

  const rebuilt = await compareRebuilt(harness);
  const found = differences(rebuilt);
  for (const problem of wrong) console.log(problem);
  for (const { what } of found) console.log(what.slice(0, 2_000));
  const seconds = Math.round((Date.now() - begun) / 1000);
  console.log(`${runs} runs, ${rebuilt.before.length} rows, ${found.length} differing (${seconds} s)`);
  return found.length === 0 && wrong.length === 0;
}

/** Wait for a run's end; says so when it is not the one that its way leads to. */
async function end(harness: Harness, { run, way, wanted }: MixedRun): Promise<string | undefined> {
  await harness.client.finished(run.id);
  await run.stream.done;
  const { body } = await harness.client.insist("GET", `/api/runs/${run.id}`);
  const { status, error } = body.data;
  return status === wanted ? undefined : `The run ${run.id} (${way}) is ${status}: ${JSON.stringify(error)}`;
}
