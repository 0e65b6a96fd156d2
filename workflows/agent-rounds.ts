import { isCancellation, sleep } from "@temporalio/workflow";
import type { AgentValue } from "../activities/agent/index.js";
import type { Outcome } from "../contract/activity.js";
import type { AgentSessionRow } from "../contract/agent-session.js";
import type { CountedUsage } from "../contract/budget.js";
import type { Halt, Halted, RoundsBefore } from "../contract/halt.js";
import type { PermitAsking } from "../contract/permit.js";
import { askPermit } from "./agent-permit.js";
import { tellStoppedRound } from "./agent-stop.js";
import { Stopped } from "./controls.js";
import type { Engine, Place } from "./engine.js";
import { readFailure } from "./failure.js";
import type { StepBudget } from "./step-budget.js";
import { tellLost, tellTrace } from "./tell-step.js";

/** One activity: a turn, or what is left of one that was halted. @param spent milliseconds that the rounds before took */
type Round = (before: RoundsBefore | undefined, spent: number) => Promise<Outcome<AgentValue | Halted>>;

/** A provider that goes on to name times that are over is asked ever more seldom: after a second, then two, at last ten minutes. */
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_PAUSE_MS = 600_000;

/**
 * A turn of an agent. Each time it is halted it waits for what it lacks, and goes on in its session by a further activity.
 *
 * @param asking how people are asked for what the agent may not do by itself
 * @throws {StepFailed} `budget_exceeded` before a further activity, when a budget is spent
 */
export async function agentRounds(
  engine: Engine,
  place: Place,
  { asking, budget }: { asking: PermitAsking | undefined; budget: StepBudget },
  round: Round,
): Promise<Outcome<AgentValue>> {
  let before: RoundsBefore | undefined;
  let spent = 0;
  let limits = 0;
  let began: string | undefined;
  budget.beginTry();
  for (;;) {
    await budget.admit(place);
    if (engine.life.isStill) await engine.pausing.hold(place);
    let outcome: Outcome<AgentValue | Halted>;
    try {
      outcome = await engine.controls.guard(undefined, { stops: true }, () => round(before, spent));
    } catch (error) {
      if (!(error instanceof Stopped)) {
        const { detail, output } = readFailure(error);
        if (detail) budget.count(usageIn(output), lasted(detail));
        throw error;
      }
      const { sessions, ...stopped } = tellStoppedRound(engine, place, error, before);
      began ??= error.failure.detail?.started_at;
      budget.count(stopped.usage, stopped.ms);
      spent += stopped.ms;
      before = stopped.before;
      await engine.pausing.hold(place).catch((stop: unknown) => {
        if (isCancellation(stop)) leaveSessions(engine, sessions);
        throw stop;
      });
      continue;
    }
    began ??= outcome.started_at;
    if (place.step.kind === "agent") place.since = began; // inside another step the try began before
    const { value } = outcome;
    budget.count("halt" in value ? value.before.usage : value.usage, lasted(outcome));
    if (!("halt" in value)) return { ...outcome, value, started_at: began };
    const { halt } = value;
    tellLost(engine.narrator, place, outcome);
    tellTrace(engine.narrator, outcome);
    before = value.before;
    try {
      if (halt.why === "limit") {
        if (await waitOut(engine, place, halt, limits++)) before = { ...before, despite_limit: true };
      } else if (halt.why === "budget") await budget.ask(place, halt);
      else before = { ...before, permits: [...(before.permits ?? []), await askPermit(engine, place, halt, asking)] };
    } catch (error) {
      if (isCancellation(error)) leaveSessions(engine, outcome.sessions);
      throw error;
    }
    spent += lasted(outcome);
  }
}

/**
 * @param limits how often this turn has met one before
 * @returns whether a person wants it tried before that
 */
function waitOut(engine: Engine, place: Place, { message, ...limit }: Halt & { why: "limit" }, limits: number): Promise<boolean> {
  const { step } = place;
  const earliest = Date.now() + Math.min(SHORTEST_WAIT_MS * 2 ** limits, LONGEST_PAUSE_MS);
  const until = new Date(Math.max(Date.parse(limit.until), earliest)).toISOString();
  const ms = () => Math.max(1, Date.parse(until) - Date.now());
  const summary = `${step.key}: ${message}`.slice(0, 120);
  const what = { kind: "limit" as const, step_id: step.id, message, since: new Date().toISOString(), until };
  return engine.standStill(place, what, () => engine.controls.untilRetried(step.id, () => sleep(ms(), { summary })));
}

/** Nobody goes on with them. */
function leaveSessions({ narrator }: Engine, sessions: readonly AgentSessionRow[] = []): void {
  for (const session of sessions) narrator.tell({ type: "session.updated", session: { ...session, status: "cancelled" } });
}

function lasted({ started_at, completed_at }: { started_at: string; completed_at: string }): number {
  return Date.parse(completed_at) - Date.parse(started_at);
}

/** Of the answer that a failure keeps. */
function usageIn(output: unknown): CountedUsage | undefined {
  return typeof output === "object" && output !== null && "usage" in output
    ? ((output as AgentValue).usage ?? undefined) // what an agent's activity keeps is an AgentValue
    : undefined;
}
