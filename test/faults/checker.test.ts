import { describe, expect, test } from "vitest";
import { check, type Evidence, type RunEvidence } from "./checker.js";
import type { Finding, Harm } from "./finding.js";

const STEPS = [1, 2, 3];

/** What a run without faults leaves. */
function sound(): Evidence {
  const ended = STEPS.flatMap((n) =>
    ["workflow.step.started", "workflow.step.completed"].map((type) => ({ type, step_id: `r-${n}` })),
  );
  const events = [
    { type: "workflow.execution.status_changed", status: "running" },
    ...ended,
    { type: "workflow.execution.status_changed", status: "completed" },
  ];
  return {
    runs: [
      {
        run_id: "r",
        rows: [{ id: "r", status: "completed", output: 3 }],
        executions: ["COMPLETED"],
        steps: STEPS.map((n) => ({
          id: `r-${n}`,
          step_number: n,
          name: `s${n}`,
          status: "completed",
          output: { n },
          error: null,
          attempts: [{ number: 1, status: "completed" }],
        })),
        events: events.map(({ type, ...data }, i) => ({ id: String(i + 1), seq: i + 1, type, data })),
        refused: [],
        promised: [
          { kind: "comment", id: "c1", wanted: "hello", found: "hello", times: 1 },
          { kind: "artifact", id: "a1", wanted: "f00", found: "f00", times: 1 },
        ],
        counter: STEPS.map((n) => ({ word: `${n}`, at: 1_000 * n })),
        expected: new Map(STEPS.map((n) => [n, { n }])),
      },
    ],
    kills: [],
    processes: [],
    leftovers: [],
    rebuilt: { before: ["run r", "step 1"], after: ["run r", "step 1"] },
    afterwards: { status: "completed", ms: 900 },
  };
}

/** What is found once `damage` was done to a sound run. */
function found(damage: (run: RunEvidence, evidence: Evidence) => void): Finding[] {
  const evidence = sound();
  damage(evidence.runs[0]!, evidence); // there is one
  return check(evidence);
}

/** Which invariants are broken then. */
function broken(damage: (run: RunEvidence, evidence: Evidence) => void): Finding["invariant"][] {
  return [...new Set(found(damage).map(({ invariant }) => invariant))];
}

test("a sound run has no findings", () => {
  expect(check(sound())).toEqual([]);
});

const planted: [string, Finding["invariant"], (run: RunEvidence, evidence: Evidence) => void][] = [
  ["a run that has no row", "I1", (run) => run.rows.pop()],
  ["a run that has two rows", "I1", (run) => run.rows.push(...run.rows)],
  ["a start that Temporal runs twice", "I1", (run) => run.executions.push("COMPLETED")],
  ["a row with another end than Temporal's", "I1", (run) => run.executions.splice(0, 1, "FAILED")],
  ["a run that is said to run when it is over", "I1", (run) => Object.assign(run.rows[0]!, { status: "running" })],
  ["a step that is still running in a finished run", "I2", (run) => Object.assign(run.steps[1]!, { status: "running" })],
  ["a step whose end was told twice", "I2", (run) => duplicateEvent(run, 3)],
  ["a step with two rows", "I2", (run) => run.steps.push(run.steps[0]!)],
  ["a step that was told of and has no row", "I2", (run) => run.steps.pop()],
  ["a comment that is gone", "I3", (run) => Object.assign(run.promised[0]!, { found: null })],
  ["a comment that is there twice", "I3", (run) => Object.assign(run.promised[0]!, { times: 2 })],
  ["an artifact with other bytes", "I3", (run) => Object.assign(run.promised[1]!, { found: "f01" })],
  ["a step with another output", "I4", (run) => Object.assign(run.steps[2]!, { output: { n: 4 } })],
  ["a step that failed and should not have", "I4", (run) => Object.assign(run.steps[2]!, { status: "failed" })],
  ["a line that is missing", "I5", (run) => run.counter?.splice(1, 1)],
  ["a line that is there twice", "I5", (run) => run.counter?.push({ word: "2", at: null })],
  ["a line of a step that was never told of", "I5", (run) => run.counter?.push({ word: "9", at: null })],
  ["an event that is missing", "I6", (run) => run.events.splice(4, 1)],
  ["an event that came twice", "I6", (run) => run.events.splice(4, 0, run.events[4]!)],
  ["two events in the wrong order", "I6", (run) => run.events.splice(2, 2, run.events[3]!, run.events[2]!)],
  ["an event under another's cursor", "I6", (run) => Object.assign(run.events[2]!, { id: "9" })],
  ["a process that is left", "I7", (_, evidence) => evidence.processes.push({ pid: 1, run_id: "r", command: "sleep" })],
  ["a lock that is left", "I8", (_, evidence) => evidence.leftovers.push("/tmp/index.lock")],
  ["a row that a rebuild does not give", "I9", (_, evidence) => evidence.rebuilt?.after.pop()],
  ["a row that only a rebuild gives", "I9", (_, evidence) => evidence.rebuilt?.before.pop()],
  ["a comparison of nothing", "I9", (_, evidence) => Object.assign(evidence, { rebuilt: { before: [], after: [] } })],
  ["a task that an upgrade could not take up", "I11", (run) => run.refused.push("Nondeterminism")],
  ["a new run that fails", "I10", (_, evidence) => Object.assign(evidence.afterwards!, { status: "failed" })],
  ["a new run that takes too long", "I10", (_, evidence) => Object.assign(evidence.afterwards!, { ms: 31_000 })],
];

describe("the checker finds", () => {
  test.each(planted)("%s (%s)", (_, invariant, damage) => {
    expect(broken(damage)).toContain(invariant);
  });
});

describe("the harm of what it finds is", () => {
  test.each<[Harm, string, (run: RunEvidence, evidence: Evidence) => void]>([
    ["lost", "a run without a row", (run) => run.rows.pop()],
    ["lost", "a missing line", (run) => run.counter?.splice(1, 1)],
    ["lost", "a comment that is gone", (run) => Object.assign(run.promised[0]!, { found: null })],
    ["repeated", "a start that Temporal runs twice", (run) => run.executions.push("COMPLETED")],
    ["repeated", "a line that is there twice", (run) => run.counter?.push({ word: "2", at: null })],
    ["repeated", "a comment that is there twice", (run) => Object.assign(run.promised[0]!, { times: 2 })],
    ["orphans", "a lock that is left", (_, evidence) => evidence.leftovers.push("/tmp/index.lock")],
    ["gaps", "an event that is missing", (run) => run.events.splice(4, 1)],
    ["drift", "a row that a rebuild does not give", (_, evidence) => evidence.rebuilt?.after.pop()],
  ])("%s: %s", (harm, _, damage) => {
    expect(found(damage).map((finding) => finding.harm)).toContain(harm);
  });
});

describe("a step that tells of a lost attempt", () => {
  const repeated = (at: number, killed: number, times = 1) =>
    broken((run, evidence) => {
      run.steps[1]?.attempts.unshift({ number: 1, status: "lost" });
      Object.assign(run.counter![1]!, { at });
      for (let n = 0; n < times; n++) run.counter?.push({ word: "2", at: killed + 3_000 + n });
      evidence.kills = [killed - 10_000, killed];
    });

  test("may have acted twice, and not three times", () => {
    expect(repeated(2_000, 2_050)).toEqual([]);
    expect(repeated(2_000, 2_050, 2)).toEqual(["I5"]);
  });

  test("did so before its worker was killed, or as it died", () => {
    expect(repeated(2_000, 1_950)).toEqual([]);
    expect(repeated(2_000, 1_400)).toEqual(["I5"]);
  });

  test("had its worker killed meanwhile", () => {
    expect(
      broken((run) => {
        run.steps[1]?.attempts.unshift({ number: 1, status: "lost" });
        run.counter?.push({ word: "2", at: 5_000 });
      }),
    ).toEqual(["I5"]);
  });
});

/** The same fact told once more, under a place of its own. */
function duplicateEvent(run: RunEvidence, at: number): void {
  run.events.splice(at, 0, run.events[at - 1]!);
  run.events = run.events.map((event, i) => ({ ...event, seq: i + 1, id: String(i + 1) }));
}
