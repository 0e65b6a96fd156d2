import { appendFileSync } from "node:fs";
import { currentTest } from "../support/current-test.js";
import { check, type Evidence } from "./checker.js";
import type { Finding } from "./finding.js";
import type { Harness } from "./harness.js";

/** A finding, and the faults that it is counted for: none when the test that found it has no number. */
export interface Noted extends Finding {
  faults: string[];
}

/** The numbers that a test's title ends with: `… (F8)`, `… (F23, F24)`. */
export function faultsOf(title: string | undefined): string[] {
  return / \((F\d+(?:, F\d+)*)\)$/.exec(title ?? "")?.[1]?.split(", ") ?? [];
}

/** Where rounds are counted (`rounds.ts`): write down what is found, a line each. It is of the fault whose test started the run. */
export function noteFindings({ runs }: Pick<Harness, "runs">, evidence: Evidence, file = process.env.LONGHAUL_TALLY): void {
  if (file === undefined) return;
  for (const finding of check(evidence)) {
    const run = runs.find(({ id }) => id === finding.run_id || finding.what.includes(id));
    const noted: Noted = { ...finding, faults: faultsOf(run?.startedBy ?? currentTest()) };
    appendFileSync(file, `${JSON.stringify(noted)}\n`);
  }
}
