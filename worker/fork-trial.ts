import { randomUUID } from "node:crypto";
import { defaultPayloadConverter } from "@temporalio/common";
import proto from "@temporalio/proto";
import { TASK_QUEUE } from "../config.js";
import type { Fate, ForkTrial, Trial } from "../contract/fork-dry-run.js";
import type { Plan } from "../contract/plan.js";
import type { PlanProgram, Program } from "../contract/run-spec.js";
import type { SeededStep } from "../contract/seed.js";
import { createPayloadCodec } from "../payload-codec.js";
import { stepOf } from "./fork-outlook.js";
import type { History } from "./replayer.js";
import { ownBuild, replayWith } from "./replays-of-build.js";
import type { Replayed, ToldStep } from "./told-steps.js";

interface TrialDeps {
  home: string;
  /** Milliseconds that a trial may take. @default 180,000 */
  timeLimitMs?: number;
}

/**
 * Try a fork out: its program is carried out and given what the steps of the other run gave, up to where it would have to do something. The
 * other run's program goes the same way, for comparison.
 *
 * @returns what the fork would make of each of its steps, in their order.
 */
export async function tryFork(deps: TrialDeps, { own, fork }: ForkTrial): Promise<Fate[]> {
  // What follows from time and chance is the same in both.
  const moment = { execution: randomUUID(), seconds: Math.floor(Date.now() / 1_000) };
  const [was, now] = await Promise.all([own, fork].map((trial) => carriedOut(deps, trial, moment)));
  const programs = { own: own.spec.program, fork: fork.spec.program };
  return fork.steps.map((step) => fateOf(step, { was, now, ...programs }));
}

interface Moment {
  execution: string;
  seconds: number;
}

async function carriedOut(
  { home, timeLimitMs }: TrialDeps,
  { spec, steps }: Trial,
  moment: Moment,
): Promise<Replayed | undefined> {
  const { run_id: runId, workflow_name } = spec;
  const seed = { run_id: runId, before: Number.MAX_SAFE_INTEGER, tried: steps };
  const codec = await createPayloadCodec(home);
  const context = { type: "workflow", namespace: "", workflowId: runId } as const;
  const payloads = await codec.encode([defaultPayloadConverter.toPayload({ ...spec, seed })], context);
  const history = begun({ runId, workflowType: workflow_name, payloads, ...moment });
  return (await replayWith(ownBuild(), [{ runId, history }], { home, timeLimitMs })).get(runId);
}

/** The history of a run that has just been started: its first task is under way. */
function begun({ execution, seconds, ...run }: Moment & { runId: string; workflowType: string; payloads: object[] }): History {
  const taskQueue = { name: TASK_QUEUE };
  const started = {
    workflowId: run.runId,
    workflowType: { name: run.workflowType },
    taskQueue,
    input: { payloads: run.payloads },
    workflowTaskTimeout: { seconds: 10 },
    originalExecutionRunId: execution,
    firstExecutionRunId: execution,
    attempt: 1,
  };
  const attributes = [
    ["WORKFLOW_EXECUTION_STARTED", { workflowExecutionStartedEventAttributes: started }],
    ["WORKFLOW_TASK_SCHEDULED", { workflowTaskScheduledEventAttributes: { taskQueue, attempt: 1 } }],
    ["WORKFLOW_TASK_STARTED", { workflowTaskStartedEventAttributes: { scheduledEventId: 2 } }],
  ] as const;
  const events = attributes.map(([type, given], i) => ({
    eventId: i + 1,
    eventTime: { seconds },
    eventType: `EVENT_TYPE_${type}`,
    ...given,
  }));
  return proto.temporal.api.history.v1.History.fromObject({ events });
}

interface Ways {
  was: Replayed | undefined;
  now: Replayed | undefined;
  own: Program;
  fork: Program;
}

function fateOf(step: SeededStep, { was, now, own, fork }: Ways): Fate {
  const before = was && told(was, step);
  const there = now && told(now, step);
  const isPlanned = own.kind === "plan" && fork.kind === "plan";
  if (there && isPlanned && !isSamePlanned(step, own, fork)) return "changed";
  if (there && before) return isSame(before, there) ? "reused" : "changed";
  if (there || !now || now.error !== null) return "unknown";
  if (now.ended !== null) return "missing";
  return fork.kind === "plan" ? beyond(step, own, fork) : "unknown";
}

/** Of a step that a plan comes to only when something else is done. */
function beyond(step: SeededStep, own: Program, fork: PlanProgram): Fate {
  const planned = stepOf(fork, step.key);
  if (!planned) return "missing";
  const depends = step.iteration > 1 || planned.condition || planned.for_each || isInLastSteps(fork.plan, planned.key);
  if (own.kind !== "plan" || depends) return "unknown";
  return isSamePlanned(step, own, fork) ? "reused" : "changed";
}

/** Whether it depends on the run's end that the step is done. */
function isInLastSteps({ on_failure = [], finally: last = [] }: Plan, key: string): boolean {
  return [...on_failure, ...last].some((step) => step.key === key);
}

/** Its place among the steps, and what people see of it, are no difference. */
function isSamePlanned({ key }: SeededStep, own: PlanProgram, fork: PlanProgram): boolean {
  const [before, now] = [own, fork].map((program) => {
    const { needs: _, name: __, phase: ___, summary: ____, ...what } = stepOf(program, key) ?? {};
    return JSON.stringify(what);
  });
  return before === now;
}

function isSame(before: ToldStep, there: ToldStep): boolean {
  return before.kind === there.kind && JSON.stringify(before.input) === JSON.stringify(there.input);
}

function told({ steps }: Replayed, { key, iteration }: SeededStep): ToldStep | undefined {
  return steps.find((step) => step.key === key && step.iteration === iteration);
}
