// Runs the tests and ends with one line: "N passed, M failed".
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporalBinary } from "../dist/test/faults/servers.js";

// Fetched once, before the tests: they themselves reach nothing beyond this machine. Without it they say what is missing.
await temporalBinary().catch((error) => console.error(error.message));

const folder = mkdtempSync(join(tmpdir(), "longhaul-report-"));
const report = join(folder, "report.json");
const run = spawnSync(
  process.execPath,
  [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${report}`,
    ...process.argv.slice(2),
  ],
  { stdio: "inherit" },
);

let line = "0 passed, 1 failed";
try {
  const { numPassedTests, numFailedTests, numPendingTests, numTotalTests, success } = JSON.parse(readFileSync(report, "utf8"));
  const failed = numFailedTests + (success || numFailedTests > 0 ? 0 : 1);
  line = `${numPassedTests} passed, ${failed} failed${numPendingTests > 0 ? `, ${numPendingTests} skipped` : ""}`;
  if (numTotalTests === 0) line = "0 passed, 1 failed";
} finally {
  rmSync(folder, { recursive: true, force: true });
  console.log(line);
}
process.exit(run.status ?? 1);
