import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { isSound, type Report, type Round, rowsOfRounds, tableOf } from "./round-table.js";
import { faultsOf, type Noted, noteFindings } from "./tally.js";

const LOST: Noted = { invariant: "I1", harm: "lost", run_id: "r", what: "there are 0 rows of it", faults: ["F8"] };

test("rounds without a finding are sound, one row a fault, in their order", () => {
  const rows = rowsOfRounds([round(["a (F10)", "b (F8)", "c (F8)", "d"]), round(["a (F10)", "b (F8)", "c (F8)", "d"])]);

  expect(rows.map(({ fault, rounds, failed }) => [fault, rounds, failed])).toEqual([
    ["F8", 2, 0],
    ["F10", 2, 0],
    ["other", 2, 0],
  ]);
  expect(isSound(rows)).toBe(true);
});

test("what was found is counted once a round, for the fault whose run it is of", () => {
  const rows = rowsOfRounds([
    { ...round(["b (F8)"]), noted: [LOST, LOST] },
    { ...round(["b (F8)"]), noted: [LOST] },
  ]);

  expect(rows).toMatchObject([{ fault: "F8", rounds: 2, failed: 0, lost: 2, repeated: 0, drift: 0 }]);
  expect(isSound(rows)).toBe(false);
  expect(tableOf(rows).split("\n").at(-1)?.trim().split(/ +/)).toEqual(["F8", "2", "0", "0", "2", "0", "0", "0", "0"]);
});

test("a test that fails, or whose file does not begin, is not sound, and one that is skipped says so", () => {
  const failed = rowsOfRounds([round(["b (F8)"], "failed")]);
  const unbegun = rowsOfRounds([round(["b (F8)"], "skipped", "failed")]);
  const skipped = rowsOfRounds([round(["b (F28)"], "skipped")]);

  for (const rows of [failed, unbegun]) {
    expect(rows).toMatchObject([{ fault: "F8", failed: 1 }]);
    expect(isSound(rows)).toBe(false);
  }
  expect(skipped).toMatchObject([{ fault: "F28", rounds: 0, skipped: 1, failed: 0 }]);
});

test("what a look finds is written down with the numbers of the test that started the run", () => {
  const file = join(mkdtempSync(join(testFolder(), "tally-")), "noted");
  const evidence = { runs: [], kills: [], processes: [], leftovers: ["/tmp/r-1/index.lock"], rebuilt: null, afterwards: null };
  const run = { id: "r-1", startedBy: "a command that forks (F23, F24)" };

  // Of a harness nothing else is asked.
  noteFindings({ runs: [run as never] }, evidence, file);

  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ harm: "orphans", faults: ["F23", "F24"] });
  expect(faultsOf("no number")).toEqual([]);
});

function round(titles: string[], status = "passed", ofFile = status): Round {
  const assertionResults = titles.map((title) => ({ title, status, failureMessages: [] }));
  const report: Report = { testResults: [{ status: ofFile, message: "", assertionResults }] };
  return { report, noted: [] };
}
