import { HARMS, type Harm } from "./finding.js";
import { faultsOf, type Noted } from "./tally.js";

/** What vitest's JSON reporter says, as far as it matters here. */
export interface Report {
  testResults: {
    status: string;
    message: string;
    assertionResults: { title: string; status: string; failureMessages: string[] | null }[];
  }[];
}

export interface Round {
  report: Report;
  /** In several looks the same may be found: it is counted once. */
  noted: readonly Noted[];
}

/** Of one fault, over all rounds. */
export interface FaultRow extends Record<Harm, number> {
  /** Its number; "other" for what has none. */
  fault: string;
  /** In which it befell something. */
  rounds: number;
  skipped: number;
  /** Rounds in which a test of it failed, whatever for. */
  failed: number;
}

const OTHER = "other";

/** One row a fault, in their order. Pure. */
export function rowsOfRounds(rounds: readonly Round[]): FaultRow[] {
  const rows = new Map<string, FaultRow>();
  const rowOf = (fault: string): FaultRow => {
    const row = rows.get(fault) ?? { fault, rounds: 0, skipped: 0, failed: 0, ...none() };
    rows.set(fault, row);
    return row;
  };
  for (const { report, noted } of rounds) {
    for (const [fault, statuses] of statusesOf(report)) {
      const row = rowOf(fault);
      if (statuses.includes("failed")) row.failed++;
      if (statuses.some((status) => status === "passed" || status === "failed")) row.rounds++;
      else row.skipped++;
    }
    for (const { faults, harm } of new Map(noted.map((one) => [JSON.stringify(one), one])).values())
      for (const fault of faults.length > 0 ? faults : [OTHER]) rowOf(fault)[harm]++;
  }
  return [...rows.values()].sort((a, b) => place(a.fault) - place(b.fault));
}

/** Of a file that did not come to its tests they have all failed. */
function statusesOf({ testResults }: Report): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { status, assertionResults } of testResults) {
    const isBroken = status === "failed" && !assertionResults.some((test) => test.status === "failed");
    for (const test of assertionResults) {
      const faults = faultsOf(test.title);
      for (const fault of faults.length > 0 ? faults : [OTHER])
        found.set(fault, [...(found.get(fault) ?? []), isBroken ? "failed" : test.status]);
    }
  }
  return found;
}

function none(): Record<Harm, number> {
  return { lost: 0, repeated: 0, orphans: 0, gaps: 0, drift: 0 };
}

function place(fault: string): number {
  return fault === OTHER ? Number.POSITIVE_INFINITY : Number(fault.slice(1));
}

export function isSound(rows: readonly FaultRow[]): boolean {
  return rows.every((row) => row.failed === 0 && HARMS.every((harm) => row[harm] === 0));
}

const HEADS: Record<Harm, string> = {
  lost: "lost",
  repeated: "repeated outside the window",
  orphans: "orphans",
  gaps: "feed gaps",
  drift: "drift",
};

/** For people: one line a fault. */
export function tableOf(rows: readonly FaultRow[]): string {
  const heads = ["fault", "rounds", "skipped", "failed", ...HARMS.map((harm) => HEADS[harm])];
  const lines = rows.map((row) => [row.fault, row.rounds, row.skipped, row.failed, ...HARMS.map((harm) => row[harm])]);
  return [heads, ...lines]
    .map((cells) => cells.map((cell, i) => String(cell).padStart(Math.max(6, heads[i]?.length ?? 0))).join("  "))
    .join("\n");
}
