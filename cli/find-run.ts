import { Run } from "../contract/run.js";
import type { Step } from "../contract/step.js";
import { WholeRun } from "../contract/whole-run.js";
import type { LonghaulClient } from "../sdk/client.js";
import { CliError, EXIT } from "./exit.js";

/** What stands for a run in every command; put into its help. */
export const RUN_ARGUMENT = "id of the run, or `latest` for the one started last";

/**
 * The id of the run that is meant. Ids are always whole: they begin with the time, so that a part would soon be another's.
 *
 * @throws {CliError} when there is no latest.
 */
export async function runId(client: LonghaulClient, given: string): Promise<string> {
  if (given !== "latest") return given;
  const { data } = await client.list("/api/runs", Run, { limit: 1 });
  const [latest] = data;
  if (latest) return latest.id;
  throw new CliError(EXIT.notFound, "There is no run yet. `longhaul run <workflow>` starts one.");
}

export async function findRun(client: LonghaulClient, given: string): Promise<WholeRun> {
  return readRun(client, await runId(client, given));
}

export async function readRun(client: LonghaulClient, id: string): Promise<WholeRun> {
  return client.get(runPath(id), WholeRun);
}

/** `/api/runs/<id>`, and below. */
export function runPath(id: string, below = ""): string {
  return `/api/runs/${encodeURIComponent(id)}${below}`;
}

/**
 * The step of a run that is meant by its number, its key (the last doing of it), or its row id.
 *
 * @throws {CliError} naming the steps there are.
 */
export function findStep(run: WholeRun, given: string): Step {
  const is = (step: Step) => step.id === given || String(step.step_number) === given || step.step_id === given;
  const found = run.steps.toSorted((a, b) => b.step_number - a.step_number).find(is);
  if (found) return found;
  const keys = [...new Set(run.steps.map((step) => step.step_id))];
  const known = keys.length > 0 ? `Its steps are ${keys.slice(0, 20).join(", ")}.` : "It has no steps yet.";
  throw new CliError(EXIT.notFound, `The run ${run.id} has no step ${given}. ${known}`);
}

/** The names of a run's steps, the last thousand, by their row ids. */
export async function stepNames(client: LonghaulClient, id: string): Promise<Map<string, string>> {
  const { steps } = await readRun(client, id);
  return new Map(steps.map((step) => [step.id, step.name]));
}
