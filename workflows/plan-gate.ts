import type { ApprovalAnswer } from "../contract/approval.js";
import type { Plan, PlanStep, PlanWork, Rework } from "../contract/plan.js";
import { StepFailed } from "../sdk/step-failed.js";
import type { Engine } from "./engine.js";
import type { PlanState } from "./plan-state.js";
import { type Done, doStep } from "./plan-step.js";

/**
 * Do a step of a plan that is not done for each of a list. An approval that sends work back is a step each time that it asks; so is the agent's
 * work in between, whose output then counts for all that comes later. What stands between the two is not done again.
 *
 * @throws {StepFailed} `approval_rejected` with the last rejection, or with one that no person has given; or what the agent failed with.
 */
export async function doGate(engine: Engine, plan: Plan, step: PlanStep, state: PlanState): Promise<Done> {
  const { work } = step;
  if (work.kind !== "approval" || typeof work.on_reject !== "object") return doStep(engine, step, state.scope());
  const { on_reject } = work;
  for (let left = on_reject.times; left > 0 && sessionOf(state, on_reject) !== undefined; left--) {
    const done = await doStep(engine, asking(step, work, "continue"), state.scope());
    if (done === "skipped") return done;
    const answer = done.output as ApprovalAnswer; // of an approval
    if (answer.approved) return done;
    if (answer.by === null) throw new StepFailed(step.key, "approval_rejected", `The default rejected "${step.key}".`, answer);
    await state.alone(on_reject.rework, () => workAgain(engine, plan, on_reject, answer, state));
  }
  return doStep(engine, asking(step, work, undefined), state.scope());
}

function asking(step: PlanStep, { on_reject: _, ...work }: PlanWork & { kind: "approval" }, onReject: "continue" | undefined) {
  return { ...step, work: { ...work, ...(onReject && { on_reject: onReject }) } };
}

/** The agent's session, where it has done its work. */
function sessionOf({ outputs }: PlanState, { rework }: Rework): string | undefined {
  const output = outputs[rework];
  const session = typeof output === "object" && output !== null && "sessionId" in output ? output.sessionId : undefined;
  return typeof session === "string" ? session : undefined;
}

async function workAgain(engine: Engine, plan: Plan, on_reject: Rework, answer: ApprovalAnswer, state: PlanState): Promise<void> {
  const agent = plan.steps.find(({ key }) => key === on_reject.rework);
  const session = sessionOf(state, on_reject);
  if (agent?.work.kind !== "agent" || session === undefined)
    throw new Error(`There is no work of ${on_reject.rework} to go back.`);
  const { condition: _, ...step } = agent;
  const work = { ...agent.work, prompt: { literal: promptOf(answer) } };
  const done = await doStep(engine, { ...step, work }, state.scope(), { session });
  if (done !== "skipped") state.keep(agent, done.output);
}

/** Its session knows what the work is. */
function promptOf({ by, comment, answers = [] }: ApprovalAnswer): string {
  const reasons = (answers.length > 0 ? answers.filter(({ approved }) => !approved) : [{ by, comment }]).map(({ by, comment }) =>
    comment ? `${by}: ${comment}` : `${by} gave no reason.`,
  );
  return `Your work was looked at and rejected.\n\n${reasons.join("\n")}\n\nChange it so that this is no longer to be said of it.`;
}
