import { type ComparedRun, type ComparedStep, type Comparison, isSame } from "../contract/comparison.js";
import { differingPaths } from "../contract/json-difference.js";
import type { Usage } from "../contract/usage.js";
import { comparedSteps, leftTree, outputsOf, type StepOfRun } from "../db/compared-steps.js";
import type { Database } from "../db/database.js";
import { getRun, getRunState, type RunWhole } from "../db/runs.js";
import type { ApiContext } from "./context.js";
import { diffTrees } from "./tree-diff.js";

/** Outputs whose differences are looked for: those of the first as many steps that differ. */
const MOST_OUTPUTS = 500;

/**
 * Put two runs beside each other.
 *
 * @param options.patch whether the difference of their trees is told line by line
 * @throws {NotFoundError} for either.
 */
export async function compareRuns(
  { db }: ApiContext,
  [first, second]: readonly [string, string],
  { patch }: { patch: boolean },
): Promise<Comparison> {
  const [a, b] = await Promise.all([sideOf(db, first), sideOf(db, second)]);
  const steps = await matched(db, a.steps, b.steps);
  const difference = {
    duration_ms: less(b.told.duration_ms, a.told.duration_ms),
    steps_ms: b.told.steps_ms - a.told.steps_ms,
    tokens: less(b.told.tokens, a.told.tokens),
    cost_usd: lessDollars(b.told.cost_usd, a.told.cost_usd),
  };
  const tree = await treesOf(a, b, patch);
  return {
    a: a.told,
    b: b.told,
    difference,
    input: differenceOf(a.run.input, b.run.input),
    output: differenceOf(a.run.output ?? null, b.run.output ?? null),
    counts: {
      same: steps.filter(isSame).length,
      different: steps.filter((step) => step.a !== null && step.b !== null && !isSame(step)).length,
      only_in_a: steps.filter((step) => step.b === null).length,
      only_in_b: steps.filter((step) => step.a === null).length,
    },
    steps,
    tree: typeof tree === "string" ? null : tree,
    tree_problem: typeof tree === "string" ? tree : null,
  };
}

interface Side {
  run: RunWhole;
  told: ComparedRun;
  steps: StepOfRun[];
  project_path: string;
  tree_path: string;
}

async function sideOf(db: Database, id: string): Promise<Side> {
  const [state, run, steps, commit_sha] = await Promise.all([
    getRunState(db, id),
    getRun(db, id),
    comparedSteps(db, id),
    leftTree(db, id),
  ]);
  const { name, status, workflow_id, workflow_revision, parent_run_id, duration_ms, usage } = run;
  const told = {
    id,
    name,
    status,
    workflow_id,
    workflow_revision,
    parent_run_id,
    steps: run._count.steps,
    duration_ms,
    steps_ms: steps.reduce((sum, { side }) => sum + (side.duration_ms ?? 0), 0),
    tokens: usage && tokensOf(usage),
    cost_usd: usage?.cost_usd ?? null,
    usage,
    commit_sha,
  };
  return { run, told, steps, project_path: state.project_path, tree_path: state.header.workspace.path };
}

function tokensOf(usage: Usage): number {
  return usage.input_tokens + usage.output_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
}

/** By key and how often that came before; of a step that was done anew in its run the later doing. */
async function matched(db: Database, first: readonly StepOfRun[], second: readonly StepOfRun[]): Promise<ComparedStep[]> {
  const name = ({ key, iteration }: StepOfRun) => `${iteration} ${key}`;
  const [a, b] = [new Map(first.map((step) => [name(step), step])), new Map(second.map((step) => [name(step), step]))];
  const names = [...new Set([...a.keys(), ...b.keys()])];
  const other = names.filter((each) => a.has(each) && b.has(each) && a.get(each)?.output !== b.get(each)?.output);
  const wanted = other.slice(0, MOST_OUTPUTS).flatMap((each) => [a.get(each)?.side.id ?? "", b.get(each)?.side.id ?? ""]);
  const outputs = await outputsOf(db, wanted);
  return names.flatMap((each) => {
    const [left, right] = [a.get(each), b.get(each)];
    const some = left ?? right;
    if (!some) return [];
    const output = left && right ? outputDifference(left, right, outputs) : null;
    return [{ step_id: some.key, iteration: some.iteration, a: left?.side ?? null, b: right?.side ?? null, output }];
  });
}

function outputDifference(left: StepOfRun, right: StepOfRun, outputs: Awaited<ReturnType<typeof outputsOf>>) {
  if (left.output === right.output) return { equal: true, paths: [] };
  const [one, other] = [outputs.get(left.side.id), outputs.get(right.side.id)];
  return { equal: false, paths: one === undefined || other === undefined ? [] : differingPaths(one, other) };
}

function differenceOf(a: RunWhole["input"], b: RunWhole["input"]) {
  const paths = differingPaths(a, b);
  return { equal: paths.length === 0, paths };
}

function less(b: number | null, a: number | null): number | null {
  return a === null || b === null ? null : b - a;
}

/** Without what floating numbers add. */
function lessDollars(b: number | null, a: number | null): number | null {
  const difference = less(b, a);
  return difference === null ? null : Math.round(difference * 1e9) / 1e9;
}

async function treesOf(a: Side, b: Side, patch: boolean) {
  const without = [a, b].find(({ told }) => told.commit_sha === null);
  if (without) return `The run ${without.told.id} has kept no tree: it has no checkpoint with one, or they have been removed.`;
  if (a.project_path !== b.project_path) return "The runs are of different projects.";
  const [from, to] = [a.told.commit_sha ?? "", b.told.commit_sha ?? ""];
  return diffTrees({ project: a.project_path, clones: [a.tree_path, b.tree_path], from, to, patch });
}
