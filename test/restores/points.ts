// What a restore and a fork at a step must show: nothing before it is done again, and the tree is what was recorded.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Checkpoint } from "../../contract/checkpoint.js";
import type { RunEvent } from "../../contract/event.js";
import { isFinished } from "../../contract/run.js";
import type { Step } from "../../contract/step.js";
import type { RunRow } from "../support/longhaul.js";
import type { Ask } from "../support/served.js";

/** Where runs are: their project, and the files that their steps have noted something in. */
export interface World {
  ask: Ask;
  /** LONGHAUL_HOME. */
  home: string;
  project: string;
  effects: string;
}

/** What a point has shown; all lists are to be empty. */
export interface Shown {
  /** Effects of steps that were to stay as they were. */
  repeated: string[];
  /** Effects of steps that were to be done, and were not. */
  missing: string[];
  /** The tree that was recorded, and another one that was found. */
  unequal: string[];
  /** What else is not as it should be. */
  wrong: string[];
}

/** A run as it stands: its steps, in the order in which they ended, and the trees that they left. */
interface Standing {
  run: RunRow;
  ended: Step[];
  trees: Map<number, string>;
}

/** Take a run back to the checkpoint of its step that stands there, and wait for its end. */
export async function restoreAt(world: World, id: string, at: number): Promise<Shown> {
  const before = await standing(world, id);
  const step = before.run.steps[at];
  if (!step) throw new Error(`The run has no step at ${at}.`);
  const kept = withoutOpenPanels(before.ended.slice(0, before.ended.findIndex((one) => one.id === step.id) + 1));
  const noted = linesOf(world, id).length;

  const reply = await world.ask("POST", `/api/runs/${id}/restore`, { checkpoint_id: `${id}-k${step.step_number}` });
  expect(reply).toMatchObject({ status: 200 });
  const { run } = await finished(world, id);

  const wrong = run.resume_count === before.run.resume_count + 1 ? [] : ["resume_count"];
  const rows = new Map(run.steps.map((row) => [row.id, row]));
  for (const row of kept) if (JSON.stringify(rows.get(row.id)) !== JSON.stringify(row)) wrong.push(`row of ${effectOf(row)}`);
  return compared(world, before, { kept, run, lines: linesOf(world, id).slice(noted), wrong });
}

/** Fork a run at the step that stands there, and wait for the fork's end. */
export async function forkAt(world: World, id: string, at: number): Promise<Shown> {
  const before = await standing(world, id);
  const step_number = before.run.steps[at]?.step_number ?? 0;
  const kept = withoutOpenPanels(before.ended.filter((one) => one.step_number < step_number));

  const reply = await world.ask("POST", `/api/runs/${id}/fork`, { step_number });
  expect(reply).toMatchObject({ status: 201 });
  const created: RunRow = reply.body.data;
  const { run } = await finished(world, created.id);

  const wrong = run.parent_run_id === id ? [] : ["parent_run_id"];
  for (const row of kept.filter((one) => !isPanel(before.run, one))) {
    const taken = run.steps.find(({ step_id, iteration }) => step_id === row.step_id && iteration === row.iteration);
    if (taken?.completed_at !== row.completed_at || JSON.stringify(taken.output) !== JSON.stringify(row.output))
      wrong.push(`row of ${effectOf(row)}`);
  }
  return compared(world, before, { kept, run, lines: linesOf(world, run.id), wrong });
}

/** The run once it has ended. */
export async function finished(world: World, id: string): Promise<Standing> {
  let last = "not there";
  for (const end = Date.now() + 180_000; Date.now() < end; await sleep(50)) {
    const row = (await world.ask("GET", `/api/runs/${id}`)).body.data as RunRow | undefined; // none until it has told of itself
    if (row && isFinished(row.status)) return standing(world, id);
    last = row?.status ?? last;
  }
  const { run } = await standing(world, id);
  throw new Error(`The run ${id} is ${last}: ${run.steps.map((step) => `${effectOf(step)} ${step.status}`).join(", ")}`);
}

async function standing({ ask }: World, id: string): Promise<Standing> {
  const run: RunRow = (await ask("GET", `/api/runs/${id}`)).body.data;
  const checkpoints = await all<Checkpoint>(ask, `/api/runs/${id}/checkpoints?`);
  const events = await all<RunEvent>(ask, `/api/runs/${id}/events?`);
  const order = events.toReversed().flatMap(({ type, data }) => (type === "workflow.step.completed" ? [data.step_id] : []));
  const ended = order.flatMap((step) => run.steps.find((row) => row.id === step) ?? []);
  const trees = checkpoints.flatMap(({ step_number, tree_sha }) => (tree_sha ? [[step_number, tree_sha] as const] : []));
  return { run, ended, trees: new Map(trees) };
}

async function all<Item>(ask: Ask, path: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let more = ""; ; ) {
    const { body } = await ask("GET", `${path}limit=100${more}`);
    items.push(...(body.data as Item[]));
    if (body.page.next_cursor === null) return items;
    more = `&cursor=${body.page.next_cursor}`;
  }
}

/** What it gives is made anew of what its members gave. */
function isPanel({ steps }: RunRow, { step_id }: Step): boolean {
  return steps.some((one) => one.step_id.startsWith(`${step_id}.`));
}

/** Who is asked together with others is asked again with them. */
function withoutOpenPanels(kept: Step[]): Step[] {
  return kept.filter(({ step_id, iteration }) => {
    const [panel, member] = step_id.split(".");
    return member === undefined || kept.some((one) => one.step_id === panel && one.iteration === iteration);
  });
}

function compared(
  world: World,
  before: Standing,
  { kept, run, lines, wrong }: { kept: Step[]; run: RunRow; lines: Line[]; wrong: string[] },
): Shown {
  const stays = effectsOf(kept);
  const done = lines.map(({ effect }) => effect);
  const wanted = effectsOf(before.run.steps).filter((effect) => !stays.includes(effect));
  const last = kept.findLast(({ step_number }) => before.trees.has(step_number));
  const recorded = last ? before.trees.get(last.step_number) : git(world.project, ["rev-parse", "HEAD^{tree}"]);
  const end = treeOf(world, run);
  const found = lines[0]?.tree ?? end;
  const whole = before.trees.get(before.ended.at(-1)?.step_number ?? 0) ?? end;
  return {
    repeated: done.filter((effect, i) => stays.includes(effect) || done.indexOf(effect) !== i),
    missing: wanted.filter((effect) => !done.includes(effect)),
    unequal: [
      ...(found === recorded ? [] : [`${recorded} was recorded, ${found} is what the first step found`]),
      ...(end === whole ? [] : [`${whole} was left at the end, now ${end}`]),
    ],
    wrong: [
      ...wrong,
      ...(run.status === "completed" ? [] : [`${run.status}: ${run.error_message}`]),
      ...(effectsIn(run) === effectsIn(before.run) ? [] : [`${effectsIn(before.run)} became ${effectsIn(run)}`]),
    ],
  };
}

/** Of steps of commands and tools: the others leave no line. */
function effectsOf(steps: readonly Step[]): string[] {
  return steps.filter(({ kind }) => kind === "shell" || kind === "tool").map(effectOf);
}

function effectOf({ step_id, iteration }: Step): string {
  return `${step_id}-${iteration}`;
}

/** All steps that a run shows, by their names. */
function effectsIn({ steps }: RunRow): string {
  return steps.map(effectOf).sort().join(" ");
}

interface Line {
  effect: string;
  tree: string;
}

function linesOf({ effects }: World, id: string): Line[] {
  const lines = readFileSync(effects, "utf8").trim().split("\n");
  return lines.flatMap((line) => {
    const [run, effect = "", tree = ""] = line.split(" ");
    return run === id ? [{ effect, tree }] : [];
  });
}

/** As git names it now: files that are not committed are part of it. */
function treeOf({ home }: Pick<World, "home">, { project_id, id }: RunRow): string {
  const path = join(home, "worktrees", project_id, id);
  const env = { GIT_INDEX_FILE: join(home, `index-${id}`) };
  git(path, ["add", "-A"], env);
  return git(path, ["write-tree"], env);
}

function git(cwd: string, args: string[], env: Record<string, string> = {}): string {
  return execFileSync("git", args, { cwd, encoding: "utf8", env: { ...process.env, ...env } }).trim();
}
