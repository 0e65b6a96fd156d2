import { isFinished, type RunStatus } from "../../contract/run.js";
import { isStepFinished, type StepStatus } from "../../contract/step.js";
import { type Finding, found, harmOfCount } from "./finding.js";
import type { CountedLine } from "./traces.js";

/** An event as it came over a stream, with the cursor it came under. */
export interface SeenEvent {
  id: string;
  seq: number;
  type: string;
  data: Record<string, unknown>;
}

export interface SeenStep {
  id: string;
  step_number: number;
  name: string;
  status: StepStatus;
  output: unknown;
  error: { type: string; message: string } | null;
  attempts: { number: number; status: string }[];
}

/** All that is known of one run whose start was answered with 201. */
export interface RunEvidence {
  run_id: string;
  /** Rows that say they are this run, over HTTP. */
  rows: { id: string; status: RunStatus; output: unknown }[];
  /** Temporal's executions under the run's id, newest first: `COMPLETED`, `FAILED` … */
  executions: string[];
  steps: SeenStep[];
  /** As one client saw it, its connections after a break included. */
  events: SeenEvent[];
  /** Workflow tasks that failed since the code threw, or went another way than its history. */
  refused: string[];
  /** Ids of comments and artifacts that were answered with 201, what reading them gives now, and how many there are that give the same. */
  promised: { kind: "comment" | "artifact"; id: string; wanted: string; found: string | null; times: number }[];
  /** Lines of the run's counter file: each has the number of the step that wrote it. Null: the run counts nothing. */
  counter: CountedLine[] | null;
  /** What a run without faults gives, by step number. */
  expected: ReadonlyMap<number, unknown>;
}

export interface Evidence {
  runs: RunEvidence[];
  /** When a worker was killed, in milliseconds. */
  kills: readonly number[];
  /** Processes that carry a run's mark although that run is over. */
  processes: { pid: number; run_id: string; command: string }[];
  /** Locks, half-written files: absolute paths. */
  leftovers: string[];
  /** Rows of the projection as it was and as it is after a rebuild, a line each; null: not compared. */
  rebuilt: { before: string[]; after: string[] } | null;
  /** A run of 3 steps that was started after all faults; null: none was. */
  afterwards: { status: string; ms: number } | null;
}

const SOUND_MS = 30_000;
/** What a worker has started is ended this long after its kill, in milliseconds; to free a killed one's memory alone takes 30 to 50. */
export const ENDED_MS = 500;

/** Everything that was lost, repeated or left behind; nothing when all is well. Pure. */
export function check(evidence: Evidence): Finding[] {
  const { runs, kills, processes, leftovers, rebuilt, afterwards } = evidence;
  return [
    ...runs.flatMap((run) => checkRun(run, kills)),
    ...processes.map(({ pid, run_id, command }) => ({ ...found("I7", `process ${pid} is left: ${command}`), run_id })),
    ...leftovers.map((path) => found("I8", `${path} is left`)),
    ...(rebuilt ? differences(rebuilt) : []),
    ...(afterwards && (afterwards.status !== "completed" || afterwards.ms > SOUND_MS)
      ? [found("I10", `a new run is ${afterwards.status} after ${afterwards.ms} ms`)]
      : []),
  ];
}

export function checkRun(run: RunEvidence, kills: readonly number[]): Finding[] {
  const checks = [started, finishedOnce, kept, sameOutput, actedOnce, actedBeforeTheKill, inSequence, sameWay];
  return checks.flatMap((one) => one(run, kills).map((finding) => ({ ...finding, run_id: run.run_id })));
}

/** I1 */
function started({ rows, executions }: RunEvidence): Finding[] {
  const findings: Finding[] = [];
  if (rows.length !== 1) findings.push(found("I1", `there are ${rows.length} rows of it`, harmOfCount(rows.length)));
  if (executions.length !== 1)
    findings.push(found("I1", `there are ${executions.length} executions of it`, harmOfCount(executions.length)));
  const status = rows[0]?.status;
  const [execution] = executions;
  if (status && execution && !fits(status, execution))
    findings.push(found("I1", `its row is ${status}, Temporal's ${execution}`));
  return findings;
}

/** Temporal calls a run that ran out of time or failed by its own word `FAILED`. */
function fits(status: RunStatus, execution: string): boolean {
  if (!isFinished(status)) return execution === "RUNNING" || execution === "PAUSED";
  const words: Record<string, string[]> = {
    completed: ["COMPLETED"],
    failed: ["FAILED", "TERMINATED"],
    cancelled: ["CANCELLED", "CANCELED", "TERMINATED"],
    timed_out: ["FAILED", "TIMED_OUT"],
  };
  return words[status]?.includes(execution) ?? false;
}

/** I2 */
function finishedOnce({ rows, steps, events }: RunEvidence): Finding[] {
  const ended = rows[0] !== undefined && isFinished(rows[0].status);
  const told = tally(events.filter(({ type }) => type === "workflow.step.completed").map(({ data }) => String(data.step_id)));
  const numbers = tally(steps.map(({ step_number }) => String(step_number)));
  const findings: Finding[] = [];
  for (const [number, count] of numbers)
    if (count !== 1) findings.push(found("I2", `step ${number} has ${count} rows`, harmOfCount(count)));
  for (const { id, name, status } of steps) {
    const count = told.get(id) ?? 0;
    const over = isStepFinished(status);
    if (ended && !over) findings.push(found("I2", `step ${name} is ${status} in a finished run`));
    if (over && count !== 1) findings.push(found("I2", `the end of step ${name} was told ${count} times`, harmOfCount(count)));
  }
  for (const id of told.keys()) if (!steps.some((step) => step.id === id)) findings.push(found("I2", `there is no row of ${id}`));
  return findings;
}

/** I3 */
function kept({ promised }: RunEvidence): Finding[] {
  return promised.flatMap(({ kind, id, wanted, found: now, times }) => {
    if (now !== wanted) return [found("I3", `the ${kind} ${id} ${now === null ? "cannot be read" : "is not what it was"}`)];
    return times > 1 ? [found("I3", `the ${kind} ${id} is there ${times} times`, "repeated")] : [];
  });
}

/** I4 */
function sameOutput({ steps, expected }: RunEvidence): Finding[] {
  const findings: Finding[] = [];
  for (const [number, output] of expected) {
    const step = steps.find(({ step_number }) => step_number === number);
    if (!step) findings.push(found("I4", `step ${number} is missing`));
    else if (step.status !== "completed") findings.push(found("I4", `step ${number} is ${step.status}${reason(step)}`));
    else if (JSON.stringify(step.output) !== JSON.stringify(output))
      findings.push(found("I4", `step ${number} gave ${JSON.stringify(step.output)}`));
  }
  return findings;
}

/** `: shell_failed: The command exited with code 3.` */
function reason({ error }: SeenStep): string {
  return error ? `: ${error.type}: ${error.message}` : "";
}

/** I5: once, or as often more as the step itself says that it may have acted. */
function actedOnce({ steps, counter }: RunEvidence): Finding[] {
  if (counter === null) return [];
  const lines = tally(counter.map(({ word }) => word));
  const findings: Finding[] = [];
  for (const { step_number, status, error, attempts } of steps) {
    const count = lines.get(String(step_number)) ?? 0;
    const lost = attempts.filter((attempt) => attempt.status === "lost").length;
    const unknown = error?.type === "outcome_unknown" ? 1 : 0;
    if (status === "completed" && count === 0) findings.push(found("I5", `step ${step_number} is completed and left no line`));
    if (count > 1 + lost + unknown)
      findings.push(found("I5", `step ${step_number} left ${count} lines and tells of ${lost} lost attempts`, "repeated"));
  }
  for (const line of lines.keys())
    if (!steps.some(({ step_number }) => String(step_number) === line))
      findings.push(found("I5", `the line ${line} is of no step`, "repeated"));
  return findings;
}

/** I5: what an attempt did that was lost, it did before its worker was killed. */
function actedBeforeTheKill(run: RunEvidence, kills: readonly number[]): Finding[] {
  return repetitions(run, kills)
    .filter(({ afterKillMs }) => afterKillMs > ENDED_MS)
    .map(({ step, afterKillMs }) =>
      found("I5", `step ${step} acted ${Math.round(afterKillMs)} ms after its worker was killed`, "repeated"),
    );
}

export interface Repetition {
  /** Its number. */
  step: string;
  /** How much later than its worker's kill the lost attempt acted; 0 when before it, infinite when no worker was killed. */
  afterKillMs: number;
}

/** Every line that was written once more, as far as the lines say when. */
export function repetitions({ counter }: RunEvidence, kills: readonly number[]): Repetition[] {
  const found: Repetition[] = [];
  for (const [i, { word, at }] of (counter ?? []).entries()) {
    const next = counter?.slice(i + 1).find((line) => line.word === word)?.at;
    if (at === null || typeof next !== "number") continue;
    const last = kills.filter((kill) => kill < next).at(-1) ?? Number.NEGATIVE_INFINITY;
    found.push({ step: word, afterKillMs: Math.max(0, at - last) });
  }
  return found;
}

/** I6 */
function inSequence({ events }: RunEvidence): Finding[] {
  const at = events.findIndex(({ id, seq }, i) => seq !== i + 1 || id !== String(seq));
  if (at >= 0) return [found("I6", `event ${at + 1} of the stream came as ${events[at]?.seq} under ${events[at]?.id}`)];
  return events.length === 0 ? [found("I6", "the stream was empty")] : [];
}

/** I11 */
function sameWay({ refused }: RunEvidence): Finding[] {
  return refused.map((why) => found("I11", `a task of it failed: ${why}`));
}

/** I9 */
export function differences({ before, after }: { before: string[]; after: string[] }): Finding[] {
  if (before.length === 0) return [found("I9", "there was nothing to compare")];
  const [was, is] = [tally(before), tally(after)];
  return [
    ...[...was].filter(([row, count]) => (is.get(row) ?? 0) < count).map(([row]) => found("I9", `not rebuilt: ${row}`)),
    ...[...is].filter(([row, count]) => (was.get(row) ?? 0) < count).map(([row]) => found("I9", `only after a rebuild: ${row}`)),
  ];
}

/** How often each of them is there. */
export function tally(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}
