import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../contract/json.js";
import { FaultClient } from "../test/faults/client.js";
import { makeRepository } from "../test/support/repository.js";

const WIDE = 500;
const AT_ONCE = 50;
const LONG = 5_000;
const STAGES = 5;
/** At both ends of a run. */
const MEASURED = 100;
const BAR = 1.2;

/**
 * Prints what steps of large plans cost, each a command in a git worktree: a graph of one wide level, a loop of stages, and a
 * list of items; and of code of as many steps. Each run is looked through: every step completed, none missing or told twice, from the first to the last.
 *
 * @param rounds how often each is run; the ratio is the median of theirs.
 * @param only words of which one is in what is to be run; all of it when there are none.
 * @throws {Error} when a run did not complete, or has a seam.
 */
export async function plans(
  api: { url: string; token: string },
  folder: string,
  rounds: number,
  only: readonly string[] = [],
): Promise<void> {
  const client = new FaultClient(api.url, api.token);
  mkdirSync(join(folder, "plans"));
  const path = await makeRepository(join(folder, "plans"));
  const { body } = await client.insist("POST", "/api/projects", { body: { path } });
  const items = Array.from({ length: LONG }, (_, i) => i);
  for (const { what, steps, costs, ...start } of [
    { what: `one level of ${WIDE} steps, ${AT_ONCE} at once`, steps: WIDE, costs: spans, definition: wide() },
    { what: `a loop of ${LONG} steps`, steps: LONG, costs: medians, definition: loop() },
    { what: `a list of ${LONG} items`, steps: LONG, costs: medians, definition: list(), input: { items } },
    { what: `code of ${LONG} steps`, steps: LONG, costs: medians, workflow_id: await codeIn(client, path, body.data.id) },
  ]) {
    if (only.length > 0 && !only.some((word) => what.includes(word))) continue;
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const where = "workflow_id" in start ? "/api/runs" : "/api/workflow/execute";
      const { body: run } = await client.insist("POST", where, { body: { project_id: body.data.id, ...start } });
      const ends = await endsOf(client, run.data.id, steps);
      const [first, last] = costs(ends);
      ratios.push(last / first);
      console.log(`  ${first.toFixed(1)} ms a step at first, ${last.toFixed(1)} at last; by tenths ${tenths(ends)}`);
    }
    const ratio = median(ratios);
    const verdict = ratio <= BAR ? "holds" : "FALLS SHORT";
    console.log(`${what}: last ${MEASURED} against first ${MEASURED} = ${ratio.toFixed(2)} (bar <= ${BAR}: ${verdict})`);
  }
}

/** The id of a workflow of the project that does the same as the plans do, in code. */
async function codeIn(client: FaultClient, project: string, projectId: string): Promise<string> {
  mkdirSync(join(project, ".agent/workflows/definitions"), { recursive: true });
  writeFileSync(
    join(project, ".agent/workflows/definitions/long-code.ts"),
    `import { defineWorkflow } from "longhaul";
export default defineWorkflow({ name: "long-code", timeout: 0, async execute(ctx) {
  for (let n = 1; n <= ${LONG}; n++) await ctx.shell("echo " + n, { name: "do" });
} });
`,
  );
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(100)) {
    const { body } = await client.insist("GET", `/api/workflows?project_id=${projectId}`);
    const found = (body.data as { id: string; name: string }[]).find(({ name }) => name === "long-code");
    if (found) return found.id;
  }
  throw new Error("The workflow long-code was not found within 30 seconds.");
}

interface Step {
  step_number: number;
  status: string;
  completed_at: string;
}

/**
 * When the steps of a run ended, in milliseconds and in that order, once the run has.
 *
 * @throws {Error} when it has not completed, or something is missing or double.
 */
async function endsOf(client: FaultClient, id: string, count: number): Promise<number[]> {
  const stream = client.follow(id);
  await stream.done;
  const { body } = await client.insist("GET", `/api/runs/${id}`);
  if (body.data.status !== "completed") throw new Error(`The run is ${body.data.status}: ${body.data.error_message}`);
  const steps: Step[] = await client.all(`/api/runs/${id}/steps`);
  const isWrong = steps.findIndex(({ step_number, status }, i) => step_number !== i + 1 || status !== "completed");
  if (steps.length !== count || isWrong >= 0) throw new Error(`Of ${steps.length} steps, number ${isWrong + 1} is wrong.`);
  const gap = stream.seen.findIndex(({ seq }, i) => seq !== i + 1);
  if (gap >= 0) throw new Error(`Event ${gap + 1} has the number ${stream.seen[gap]?.seq}.`);
  const over = new Set(stream.seen.filter(({ type }) => type === "workflow.step.completed").map(({ data }) => data.step_id));
  if (over.size !== count) throw new Error(`The ends of ${over.size} steps were told.`);
  return steps.map(({ completed_at }) => Date.parse(completed_at)).sort((a, b) => a - b);
}

/** Milliseconds a step among the first and among the last: of steps one after the other the median, which a pause of the machine does not move. */
function medians(ends: readonly number[]): [first: number, last: number] {
  const gaps = ends.slice(1).map((end, i) => end - (ends[i] ?? Number.NaN));
  return [median(gaps.slice(0, MEASURED)), median(gaps.slice(-MEASURED))];
}

/** The same of steps side by side, which end in bursts: the time they took together. */
function spans(ends: readonly number[]): [first: number, last: number] {
  const last = ends.length - 1;
  return [span(ends, 0, MEASURED), span(ends, last - MEASURED, last)];
}

function span(ends: readonly number[], from: number, to: number): number {
  return ((ends[to] ?? Number.NaN) - (ends[from] ?? Number.NaN)) / (to - from);
}

function tenths(ends: readonly number[]): string {
  const at = (i: number) => Math.floor(((ends.length - 1) * i) / 10);
  return Array.from({ length: 10 }, (_, i) => span(ends, at(i), at(i + 1)).toFixed(1)).join(" ");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function wide(): JsonObject {
  return {
    name: "wide",
    version: "1.0.0",
    config: { parallelism: AT_ONCE, timeout: 0 },
    steps: Array.from({ length: WIDE }, (_, i) => ({ key: `s${i}`, type: "shell", command: `echo ${i}` })),
  };
}

function loop(): JsonObject {
  const stages = Array.from({ length: STAGES }, (_, i) => `stage-${i}`);
  return {
    name: "loop",
    timeout: 0,
    stages,
    loop: { max_iters: LONG / STAGES },
    stageConfigs: Object.fromEntries(stages.map((name) => [name, { command: `echo \${iteration} ${name}` }])),
  };
}

function list(): JsonObject {
  return {
    name: "list",
    timeout: 0,
    dialect: "phases",
    steps: [{ id: "each", type: "script", for_each: "{{ args.items }}", command: "echo {{ item }}" }],
  };
}
