// `npm run faults`: all scenarios, round after round, each round with moments of its own; then what was found, by fault.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type FaultRow, isSound, type Report, type Round, rowsOfRounds, tableOf } from "./round-table.js";
import { temporalBinary } from "./servers.js";
import type { Noted } from "./tally.js";

const HELP = `npm run faults -- [--rounds 5] [--seed N] [--short] [files]

Befalls runs with the faults of test/faults: processes, servers, machine and network are taken away and come back, at moments that
are drawn from a seed. Round n has the seed N + n - 1, which it prints: \`--rounds 1 --seed <that>\` repeats it. Each round takes all
scenarios, or those of the files, as long as they are; with --short as long as \`npm test\` has them.

At the end there is a line for each fault (F1 to F42), counted from what the checker found in all rounds. Lost: what was answered with
success and is not there, or not as it was. Repeated outside the window: done twice, and no step tells of a lost attempt. Orphans:
processes, locks and half-written files that nobody owns. Feed gaps: events missing, twice or out of order. Drift: rows that a rebuild
gives otherwise. Failed: rounds in which a test of it failed, for whatever reason.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    short: { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

await temporalBinary().catch((error) => console.error(error.message));
const folder = mkdtempSync(join(tmpdir(), "longhaul-rounds-"));
const began = Date.now();
const rounds: Round[] = [];
let rows: FaultRow[] = [];
try {
  for (let n = 1; n <= Number(values.rounds); n++) {
    const seed = Number(values.seed) + n - 1;
    console.log(`Round ${n} of ${values.rounds}: seed ${seed}`);
    rounds.push(carryOut(seed));
  }
  rows = rowsOfRounds(rounds);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const [n, { report, noted }] of rounds.entries())
  for (const line of failures(report, noted)) console.log(`Round ${n + 1}: ${line}`);
console.log(tableOf(rows));
const minutes = Math.round((Date.now() - began) / 60_000);
console.log(`Seed ${values.seed}: ${rounds.length} rounds in ${minutes} minutes, ${isSound(rows) ? "sound" : "NOT sound"}.`);
process.exit(isSound(rows) && rows.length > 0 ? 0 : 1);

function carryOut(seed: number): Round {
  const [report, tally] = [join(folder, `report-${seed}.json`), join(folder, `tally-${seed}`)];
  const files = positionals.length > 0 ? positionals : ["test/faults"];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${report}`];
  const env = { ...process.env, LONGHAUL_SEED: String(seed), LONGHAUL_TALLY: tally };
  spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...files], {
    stdio: "inherit",
    env: values.short ? env : { ...env, LONGHAUL_FAULTS: "long" },
  });
  const lines = existsSync(tally) ? readFileSync(tally, "utf8").split("\n").filter(Boolean) : [];
  const told: Report = JSON.parse(readFileSync(report, "utf8"));
  return { report: told, noted: lines.map((line): Noted => JSON.parse(line)) };
}

/** What went wrong, a line each. */
function failures({ testResults }: Report, noted: readonly Noted[]): string[] {
  const found = new Set(
    noted.map(({ invariant, run_id = "", what, faults }) => `${faults.join(", ")} ${invariant} ${run_id}: ${what}`),
  );
  const failed = testResults.flatMap(({ status, message, assertionResults }) => [
    ...(status === "failed" && message !== "" ? [message] : []),
    ...assertionResults.flatMap(({ title, failureMessages }) => (failureMessages ?? []).map((why) => `${title}: ${why}`)),
  ]);
  return [...found, ...failed].map((text) => text.slice(0, 1_000));
}
