import type { Json, JsonObject } from "../contract/json.js";
import type { Condition, Plan, PlanFlow } from "../contract/plan.js";
import { arranged, inSequence } from "./arrange.js";
import { defined } from "./defined.js";
import type { DialectReader } from "./dialect.js";
import { type ExportResult, expressionOf, type Writing, written } from "./export.js";
import { Fields, fieldsOf } from "./fields.js";
import { didYouMean } from "./nearest.js";
import { type Mapping, type Node, type Place, type Scalar, shown } from "./node.js";
import type { Problems } from "./problems.js";
import { emptyStage, stageOf } from "./stage.js";
import { RESERVED, stageReferences } from "./stage-references.js";
import { type Draft, draftOf, KEY } from "./step.js";
import { phasesOf, stepsAt, topOf } from "./top.js";
import { URL_SAFE, URL_SAFE_NAME, URL_SAFE_WORDS } from "./url-safe.js";

const MOST_PASSES = 1000;
const MOST_STAGES = 100;
const FILE = /([^\\/]*)\.workflow\.(?:ya?ml|json)$/i;

/** Stages of agents, in a loop: a list `stages`, and for each of them what it is. */
export const stages: DialectReader = {
  dialect: "stages",
  shape: 'a list "stages", in a file called <id>.workflow.yml',
  fits: (root, file) => FILE.test(file) || [root, headOf(root)].some(hasStages),
  compile,
};

/** A plan as a definition of this dialect, or what this dialect cannot say of it. */
export function toStages(plan: Plan, format: "yaml" | "json" = "yaml"): ExportResult {
  const writing: Writing = {
    reader: stages,
    keyWord: "key",
    marks: ["${"],
    top: ({ id, flow }) => ({ ...defined({ id }), ...(flow.kind === "loop" && loopText(flow)) }),
    step: ({ name }) => defined({ name }),
    whole: withStages,
  };
  return written(plan, writing, format);
}

interface Named {
  name: string;
  at: Place;
}

interface Loop {
  flow: PlanFlow & { kind: "loop" };
  /** What ends it, and how the author wrote that. */
  stop?: { condition: Condition; text: string };
}

function compile(root: Mapping, problems: Problems, file: string): Plan {
  const head = headOf(root);
  const reading = { problems, references: stageReferences(root, head) };
  const whole = new Fields(root, reading, "the definition");
  const fields = head === root ? whole : new Fields(head, reading, '"workflow"');
  for (const key of ["$schema", "dialect", ...(head === root ? [] : ["workflow"])]) whole.value(key);

  const top = topOf(fields);
  const id = idOf(fields, file);
  const names = namesOf(fields, problems);
  const loop = loopOf(fields, names);
  const drafts = stagesOf(whole, fields, names, loop);
  const ends = { failure: stepsAt(fields, "on_failure", endStep), always: stepsAt(fields, "finally", endStep) };
  const phases = phasesOf(top.phases, { steps: drafts, ...ends }, fields);
  whole.rest();
  if (fields !== whole) fields.rest();
  return {
    ...top,
    ...defined({ id }),
    phases,
    names: ["steps", "vars", "context"],
    flow: loop.flow,
    ...arranged({ steps: inSequence(drafts), ...ends }, problems),
  };
}

/** Where what is about the whole stands: in a block `workflow`, else at the root. */
function headOf(root: Mapping): Mapping {
  const block = root.entries.find(({ key }) => key === "workflow")?.value;
  return block?.kind === "map" ? block : root;
}

function hasStages({ entries }: Mapping): boolean {
  return entries.some(({ key, value }) => key === "stages" && value.kind === "list");
}

/** The file's name says the id, too. */
function idOf(fields: Fields, file: string): string | undefined {
  const id = fields.text("id", URL_SAFE_NAME);
  const named = FILE.exec(file)?.[1];
  if (named === undefined) return id;
  if (id !== undefined && id !== named) {
    fields.problem("id", `"id" is "${id}", but the file is called ${named}.workflow: make them the same, or leave "id" out.`);
  }
  return id ?? (URL_SAFE.test(named) ? named : undefined);
}

function namesOf(fields: Fields, problems: Problems): Named[] {
  const nodes = fields.list(fields.need("stages")) ?? [];
  if (nodes.length === 0 && fields.has("stages"))
    fields.problem("stages", '"stages" is empty. A definition has at least one stage.');
  if (nodes.length > MOST_STAGES) {
    fields.problem("stages", `A definition has at most ${MOST_STAGES} stages, not ${nodes.length}.`);
    return [];
  }
  const names = new Map<string, Named>();
  for (const node of nodes) {
    const name = node.kind === "scalar" ? String(node.value) : "";
    const problem = nameProblem(node, name, names.has(name));
    if (problem) problems.add(node, problem);
    else names.set(name, { name, at: node });
  }
  return [...names.values()];
}

function nameProblem(node: Node, name: string, isThere: boolean): string | undefined {
  if (!URL_SAFE.test(name)) return `Each of "stages" must be a name made of ${URL_SAFE_WORDS}, not ${shown(node)}.`;
  if (RESERVED.has(name))
    return `No stage can be called "${name}", which means something else. Call it "${name}-stage", for example.`;
  return isThere ? `The stage "${name}" is listed twice.` : undefined;
}

function loopOf(fields: Fields, names: readonly Named[]): Loop {
  const loop = fields.map("loop");
  if (!loop) return { flow: { kind: "loop", max_iterations: 1 } };
  const max = loop.int(loop.need("max_iters"), { min: 1, max: MOST_PASSES }) ?? 1;
  const min = loop.int("min_iters", { min: 1, max: MOST_PASSES });
  if (min !== undefined && min > max && loop.has("max_iters")) {
    loop.problem("min_iters", `"min_iters" must not be more than "max_iters", ${max}.`);
  }
  const next = loop.text("fallback_next_stage");
  const stages = names.map(({ name }) => name);
  if (next !== undefined && !stages.includes(next)) {
    loop.problem("fallback_next_stage", `"stages" lists no "${next}".${didYouMean(next, stages)}`);
  }
  const condition = loop.condition("stop_when");
  const written = loop.value("stop_when");
  loop.rest();
  const flow = { kind: "loop" as const, max_iterations: max, ...defined({ min_iterations: min, next, stop_when: condition }) };
  return condition && written?.kind === "scalar" ? { flow, stop: { condition, text: String(written.value) } } : { flow };
}

/** Each stage is described at the root or in `stageConfigs`, or not at all. */
function stagesOf(whole: Fields, head: Fields, names: readonly Named[], { stop }: Loop): Draft[] {
  const configs = (whole.has("stageConfigs") ? whole : head).map("stageConfigs");
  const stages = names.map(({ name }) => name);
  const drafts = names.flatMap(({ name, at }, i) => {
    const described = configs?.value(name);
    const block = whole.value(name) ?? described ?? emptyStage(at);
    if (described && described !== block) {
      whole.problem(name, `The stage "${name}" is described here and in "stageConfigs". Keep one of them.`);
    }
    const fields = stageFields(block, whole, name);
    return fields ? [stageOf(fields, { name, at, stages, stop: i === names.length - 1 ? stop : undefined })] : [];
  });
  for (const { key, at } of configs?.node.entries ?? []) {
    if (!stages.includes(key)) whole.reading.problems.add(at, `"stages" does not list "${key}".${didYouMean(key, stages)}`);
  }
  return drafts;
}

function stageFields(block: Node, { reading }: Fields, name: string): Fields | undefined {
  const isText = block.kind === "scalar" && typeof block.value === "string";
  return fieldsOf(isText ? profileBlock(block) : block, reading, `the stage "${name}"`);
}

/** A stage of which nothing is said but its profile. */
function profileBlock(profile: Scalar): Mapping {
  const { path, line, column } = profile;
  return { path, line, column, kind: "map", entries: [{ key: "profile", at: profile, value: profile }] };
}

/** The common form has a list of steps; here they are blocks, by their keys. */
function withStages({ steps, phases, ...common }: JsonObject, plan: Plan): JsonObject {
  const blocks = (Array.isArray(steps) ? steps : []).flatMap((step) => (isObject(step) ? [step] : []));
  const named = blocks.map(({ key, phase, ...block }): [string, JsonObject] => [
    String(key),
    phase === key || phase === undefined ? block : { phase, ...block },
  ]);
  const ownPhases = [...new Set(plan.steps.flatMap(({ phase }) => phase ?? []))];
  return {
    ...common,
    ...(JSON.stringify(phases) !== JSON.stringify(ownPhases) && defined({ phases })),
    stages: named.map(([key]) => key),
    stageConfigs: Object.fromEntries(named),
  };
}

function loopText({ max_iterations, min_iterations, next, stop_when }: Loop["flow"]): JsonObject {
  if (max_iterations === 1 && !stop_when && next === undefined && min_iterations === undefined) return {};
  return {
    loop: {
      max_iters: max_iterations,
      ...defined({ min_iters: min_iterations, fallback_next_stage: next }),
      ...(stop_when && { stop_when: expressionOf(stop_when) }),
    },
  };
}

function endStep(fields: Fields): Draft {
  return draftOf(fields, { key: fields.text(fields.need("key"), KEY) ?? "" });
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
