// `npm run coverage`: how much of the source the tests come by, those run in other processes counted too.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../../package-root.js";
import { linesRun } from "./spawned.js";
import { countFiles, report } from "./table.js";

/** Percent of lines. */
const WANTED = 85;

const { values, positionals } = parseArgs({ options: { files: { type: "boolean", default: false } }, allowPositionals: true });
const folder = mkdtempSync(join(tmpdir(), "longhaul-coverage-"));
const here = join(folder, "here");
const spawned = join(folder, "spawned");
mkdirSync(spawned);
try {
  const tests = spawnSync(process.execPath, ["test/run-tests.mjs", "--config", "test/covered/vitest.config.ts", ...positionals], {
    cwd: packageRoot,
    stdio: "inherit",
    env: {
      ...process.env,
      LONGHAUL_COVERAGE_HERE: here,
      LONGHAUL_COVERAGE_SPAWNED: spawned,
    },
  });
  const counted = join(here, "coverage-final.json");
  if (!existsSync(counted)) throw new Error("The tests left no count of what they ran.");
  const { lines, broken } = linesRun(spawned, packageRoot);
  if (broken > 0) console.log(`\nProcesses that were ended while they wrote down their lines: ${broken}`);
  const percent = report(countFiles(JSON.parse(readFileSync(counted, "utf8")), lines, packageRoot), { files: values.files });
  process.exitCode = tests.status === 0 && percent >= WANTED ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
