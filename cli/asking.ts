import type { Step } from "../contract/step.js";
import type { WholeRun } from "../contract/whole-run.js";
import { CliError, EXIT } from "./exit.js";

/** The step of a run that asks, when there is no doubt which. */
export function onlyAsking(run: WholeRun): Step {
  const asking = run.steps.filter(({ waiting_for }) => waiting_for?.kind === "approval");
  const [first, ...others] = asking;
  if (!first) throw new CliError(EXIT.failed, `The run ${run.id} asks nothing just now. It is ${run.status}.`);
  if (others.length === 0) return first;
  throw new CliError(EXIT.usage, `Several steps of it ask: ${asking.map(({ step_id }) => step_id).join(", ")}. Say which.`);
}
