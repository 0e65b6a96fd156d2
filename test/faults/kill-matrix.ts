// `npm run kills`: `kill -9` of worker or everything at seeded moments; says what was lost and what was done twice.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { agentKills, summary, TURN } from "./agent-kills.js";
import { ENDED_MS } from "./checker.js";
import { DEFINITIONS } from "./definitions.js";
import type { Harm } from "./finding.js";
import { killRound } from "./kill-round.js";
import { withHarness } from "./scratch.js";
import { withScriptedModel } from "./scripted-model.js";

const HELP = `npm run kills -- [--kills 30] [--runs 10] [--steps 20] [--at-once 3] [--seed N] [--no-agents]

Runs of 20 steps of 200 ms append a line to a file in each step, as shell commands, as activities of a file and by an
agent (with a scripted model), while the worker or everything is killed with kill -9 at random moments and started again.
Every line must be there once; twice only where the step itself tells of an attempt that was lost with its worker, and had
written its line before that was killed. What a worker has started is ended as it dies, which takes a moment: how long after
the kill a line was still written is told, and more than ${ENDED_MS} ms is a loss.
The same seed kills at the same moments.

npm run kills -- agents [--agent claude|codex] [--kills 20] [--seed N]

An agent's turn after the other writes a file, plans, or has its work checked, while the worker is killed with kill -9 at a random
moment of each. Every turn must be done once, in one session, its usage counted once, and leave no process.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: "string" },
    agent: { type: "string", default: "claude" },
    runs: { type: "string", default: "10" },
    steps: { type: "string", default: "20" },
    "at-once": { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "no-agents": { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

console.log(`Seed ${values.seed}`);
if (positionals[0] === "agents") {
  const agent = values.agent === "codex" ? "codex" : "claude";
  const settings = { LONGHAUL_CODEX_BIN: process.env.LONGHAUL_CODEX_BIN ?? resolve("test/agents/node_modules/.bin/codex") };
  const result = await withScriptedModel((model) =>
    withHarness(
      "kills",
      (harness) => {
        const [seed, kills] = [Number(values.seed), Number(values.kills ?? 20)];
        return agentKills(harness, model, { seed, kills, agent, rebuilt: true, log: console.log });
      },
      { definitions: { ...DEFINITIONS, ...TURN }, settings: agent === "codex" ? settings : {} },
    ),
  );
  for (const { invariant, run_id, what } of result.findings) console.log(`${invariant} ${run_id ?? ""}: ${what}`);
  console.log(`Seed ${values.seed}, ${agent}: ${summary(result)}`);
  process.exit(result.findings.length === 0 ? 0 : 1);
}
const sound = await withScriptedModel(async () => {
  const result = await withHarness("kills", (harness) =>
    killRound(harness, {
      seed: Number(values.seed),
      kills: Number(values.kills ?? 30),
      runs: Number(values.runs),
      steps: Number(values.steps),
      atOnce: Number(values["at-once"]),
      workflows: ["count-shell", "count-activity", ...(values["no-agents"] ? [] : (["count-agent"] as const))],
      rebuilt: true,
      log: console.log,
    }),
  );
  const { runs, steps, workerKills, treeKills, repeated, stepsWithLostAttempts, findings } = result;
  const times = result.recoveries.toSorted((a, b) => a - b);
  for (const { invariant, run_id, what } of findings) console.log(`${invariant} ${run_id ?? ""}: ${what}`);
  const count = (...harms: Harm[]) => findings.filter(({ harm }) => harms.includes(harm)).length;
  const late = repeated.filter((ms) => ms > 0);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  console.log(
    `Seed ${values.seed}: ${workerKills + treeKills} kills (${workerKills} of the worker, ${treeKills} of everything), ${runs} runs, ${steps} steps. ` +
      `Lost ${count("lost", "gaps")}, repeated outside the window ${count("repeated")}, repeated inside it ${repeated.length} ` +
      `(${repeated.length - late.length} killed after the effect, ${late.length} up to ${Math.round(Math.max(0, ...late))} ms before it; ` +
      `${stepsWithLostAttempts} steps tell of a lost attempt), other findings ${count("orphans", "drift")}. ` +
      `Went on after ${seconds(median)} (median), ${seconds(times.at(-1) ?? 0)} (longest).`,
  );
  return findings.length === 0;
});
process.exit(sound ? 0 : 1);

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
