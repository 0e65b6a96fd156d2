import type { Client } from "@temporalio/client";
import type { PayloadCodec } from "@temporalio/common";
import type { ChangedDefinition, CheckedStep, DeployCheck, DeployChecker, ReplayBreak } from "../contract/deploy-check.js";
import { isFinished } from "../contract/run.js";
import type { Program, RunSpec } from "../contract/run-spec.js";
import type { Database } from "../db/database.js";
import { type RecordedRunRow, recordedRuns, recordedSteps } from "../db/recorded-runs.js";
import { getVersion } from "../db/workflow-changes.js";
import { lineOfStep } from "../definition/step-lines.js";
import { createPayloadCodec } from "../payload-codec.js";
import { isAsRecorded, partingOf } from "./compare-replays.js";
import { outlookOf } from "./fork-outlook.js";
import { tryFork } from "./fork-trial.js";
import { withOtherSpec } from "./other-spec.js";
import { historyOf } from "./recorded-history.js";
import type { History } from "./replayer.js";
import { type Build, buildIn, ownBuild, type RecordedRun, replayWith } from "./replays-of-build.js";
import type { Replayed, ToldStep } from "./told-steps.js";

/** Runs replayed by one process: each leaves some megabytes in it. */
const BATCH = 50;

interface CheckerDeps {
  db: Database;
  client: Client;
  home: string;
  /** Milliseconds that a replay may take. @default 180,000 */
  timeLimitMs?: number;
}

/** One run: as it was replayed by what is at work, and by what is to come. */
interface Compared {
  run: RecordedRunRow;
  history: History;
  was: Replayed;
  now: Replayed;
  program: Program;
}

/** What recorded runs are replayed with. */
interface Next {
  build: Build;
  change: (spec: RunSpec) => RunSpec;
  /** All of them are replayed by what is at work, too, not only those that would go another way. */
  both: boolean;
}

/** Replays recorded runs by what is to come, and compares the steps that they would do with those that they have done. */
export function createDeployChecker(deps: CheckerDeps): DeployChecker {
  return {
    async definition(given) {
      const change = (spec: RunSpec) => ({ ...spec, program: given.program });
      const compared = compareAll(deps, await recordedRuns(deps.db, given), { build: ownBuild(), change, both: true });
      return { ...(await collect(deps, compared, given)), revision: given.revision };
    },
    async build({ folder, ...which }) {
      const build = buildIn(folder);
      const runs = await recordedRuns(deps.db, which);
      return { ...(await collect(deps, compareAll(deps, runs, { build, change: (spec) => spec, both: false }))), build };
    },
    fork: (given) => tryFork(deps, given),
  };
}

type Outcome = Compared | { run: RecordedRunRow; unknown: string };

async function* compareAll(deps: CheckerDeps, runs: readonly RecordedRunRow[], next: Next): AsyncGenerator<Outcome> {
  const codec = await createPayloadCodec(deps.home);
  for (let at = 0; at < runs.length; at += BATCH) yield* compareSome({ ...deps, codec }, runs.slice(at, at + BATCH), next);
}

async function* compareSome(
  { db, client, home, timeLimitMs, codec }: CheckerDeps & { codec: PayloadCodec },
  runs: readonly RecordedRunRow[],
  { build, change, both }: Next,
): AsyncGenerator<Outcome> {
  const own: RecordedRun[] = [];
  const other: RecordedRun[] = [];
  const programs = new Map<string, Program>();
  for (const run of runs) {
    const history = await historyOf(client, run);
    const recorded = history && { runId: run.id, history };
    const keep = (spec: RunSpec): RunSpec => {
      programs.set(run.id, spec.program);
      return { ...spec, placed: true };
    };
    const was = recorded && (await withOtherSpec(recorded, codec, keep));
    const now = recorded && (await withOtherSpec(recorded, codec, (spec) => ({ ...change(spec), placed: true })));
    if (!was || !now) continue;
    own.push({ runId: run.id, history: was });
    other.push({ runId: run.id, history: now });
  }
  const limits = { home, timeLimitMs };
  const early = both ? replayWith(ownBuild(), own, limits) : undefined;
  const after = await replayWith(build, other, limits);
  const doubtful = new Set<string>();
  for (const { runId, history } of own) {
    if (both || !isAsRecorded(await recordedSteps(db, runId, executionOf(history)), after.get(runId))) doubtful.add(runId);
  }
  const those = own.filter(({ runId }) => doubtful.has(runId));
  const before = await (early ?? replayWith(ownBuild(), those, limits));
  for (const run of runs) {
    const now = after.get(run.id);
    const was = doubtful.has(run.id) ? before.get(run.id) : now;
    const program = programs.get(run.id);
    const history = own.find(({ runId }) => runId === run.id)?.history;
    if (!was || !now || !history || !program) yield { run, unknown: "There is no history of it, in Temporal or in its folder." };
    else if (was.error !== null) yield { run, unknown: `The build that is at work does not replay it either: ${was.error}` };
    else yield { run, history, was, now, program };
  }
}

/** The Temporal execution that a history is of. */
function executionOf({ events }: History): string {
  return events?.[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? "";
}

/** @param given the definition that the runs were replayed with; left out: it was a build. */
async function collect(deps: CheckerDeps, outcomes: AsyncIterable<Outcome>, given?: ChangedDefinition): Promise<DeployCheck> {
  const began = Date.now();
  const check: DeployCheck = {
    ok: true,
    build: null,
    revision: null,
    open: 0,
    closed: 0,
    breaks: [],
    unknown: [],
    stay: [],
    forks: [],
    took_ms: 0,
  };
  const stay = new Map<number, number>();
  for await (const outcome of outcomes) {
    const { run } = outcome;
    const isOpen = !isFinished(run.status);
    check[isOpen ? "open" : "closed"]++;
    if (given && isOpen) stay.set(run.revision, (stay.get(run.revision) ?? 0) + 1);
    if ("unknown" in outcome) {
      check.unknown.push({ run_id: run.id, message: outcome.unknown });
      continue;
    }
    const { was, now, program } = outcome;
    // A closed run of a definition is not moved anywhere: it is here for what its forks would take over.
    const broken = given && !isOpen ? null : await breakOf(deps, outcome, given);
    if (broken) check.breaks.push(broken);
    if (given)
      check.forks.push({
        run_id: run.id,
        revision: run.revision,
        status: run.status,
        ...outlookOf(was, now, { own: program, other: given.program }),
      });
  }
  const revisions = [...stay].sort(([a], [b]) => a - b).map(([revision, runs]) => ({ revision, runs }));
  return { ...check, ok: check.breaks.length === 0, stay: revisions, took_ms: Date.now() - began };
}

async function breakOf({ db }: CheckerDeps, compared: Compared, given?: ChangedDefinition): Promise<ReplayBreak | null> {
  const { run, was, now, history, program } = compared;
  const parting = partingOf(was, now, history);
  if (!parting) return null;
  const own = { program, text: (await getVersion(db, run.workflow_id, run.revision))?.source ?? null };
  const step = parting.step && placed(parting.step, own);
  const instead = parting.instead && placed(parting.instead, given ?? own);
  const { file, line } = (instead?.line ? instead : null) ??
    (given && elsewhere(parting.step, given)) ??
    step ?? { file: program.file, line: null };
  return {
    run_id: run.id,
    workflow_id: run.workflow_id,
    workflow_name: run.workflow_name,
    revision: run.revision,
    status: run.status,
    step,
    instead,
    file,
    line,
    message: parting.message,
  };
}

/** Where the new definition says the step that the run has begun there, if it still does. */
function elsewhere(step: ToldStep | null, { program, text }: ChangedDefinition): { file: string; line: number } | null {
  const line = step && program.kind === "plan" ? lineOfStep(text, program.file, step.key) : null;
  return line === null ? null : { file: program.file, line };
}

function placed(
  { number, key, kind, iteration, place }: ToldStep,
  { program, text }: { program: Program; text: string | null },
): CheckedStep {
  const line = place?.line ?? (program.kind === "plan" && text !== null ? lineOfStep(text, program.file, key) : null);
  return { number, key, kind, iteration, file: place?.file ?? program.file, line };
}
