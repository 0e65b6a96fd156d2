import type { JsonObject } from "../contract/json.js";
import type { Plan, PlanRetry, PlanStep, PlanWork } from "../contract/plan.js";
import { arranged, type Drafts } from "./arrange.js";
import { defined } from "./defined.js";
import { type DialectReader, hasStepsWith } from "./dialect.js";
import { type ExportResult, written } from "./export.js";
import { Fields } from "./fields.js";
import { graphOf } from "./graph.js";
import { reportLateReferences } from "./late-references.js";
import { MAX_CONCURRENCY, MAX_TRIES } from "./limits.js";
import type { Mapping, Place } from "./node.js";
import type { Problems } from "./problems.js";
import { knownIn, type Naming, references } from "./references.js";
import { RETRY_DEFAULTS } from "./retry-defaults.js";
import { retriesOf, retryOf } from "./retry-field.js";
import { type Draft, draftOf, KEY, NAME, type Own } from "./step.js";
import type { TemplateOptions } from "./template.js";
import { draftsOf, phasesOf, topOf } from "./top.js";
import { agentWork } from "./work.js";

const NAMING = { marks: ["{{"], bare: "context" } satisfies Naming;

/** The dialect has no word for a longest delay, so there is none to speak of: a day. */
const RETRY: PlanRetry = { ...RETRY_DEFAULTS, maxDelayMs: 86_400_000, maxAttempts: 4 };

/** A graph of steps that depend on one another, done level by level: `steps` with `key`, `agent` and `dependencies`. */
export const dag: DialectReader = {
  dialect: "dag",
  shape: 'steps with a "key" that depend on one another',
  fits: (root) => hasStepsWith(root, "key", "dependencies", "dependsOn"),
  compile,
};

/** A plan as a definition of this dialect, or what this dialect cannot say of it. */
export function toDag(plan: Plan, format: "yaml" | "json" = "yaml"): ExportResult {
  return written(plan, { reader: dag, keyWord: "key", marks: ["{{"], top: writtenTop, step: writtenStep }, format);
}

function writtenTop({ checkpoint_interval_ms, flow }: Plan): JsonObject {
  const parallelism = flow.kind === "graph" ? flow.concurrency : undefined;
  const checkpointInterval =
    checkpoint_interval_ms && checkpoint_interval_ms < 1000 ? `${checkpoint_interval_ms}ms` : checkpoint_interval_ms;
  return { config: defined({ checkpointInterval, parallelism }) };
}

function writtenStep({ name, needs }: PlanStep): JsonObject {
  return { ...defined({ name }), ...(needs.length > 0 && { dependencies: needs }) };
}

/** What `config` says of the steps that do not say it themselves, and of the run. */
interface Config {
  timeoutMs?: number;
  retries: number;
  checkpointIntervalMs: number;
  parallelism: number;
  continueOnError: boolean;
}

function compile(root: Mapping, problems: Problems): Plan {
  const { drafts, ...plan } = readDag(root, problems, references(NAMING, knownIn(root, "key")));
  const steps = arranged(drafts, problems);
  reportLateReferences(steps.steps, drafts.steps, problems, { bareToo: false });
  return { ...plan, ...steps };
}

/** Reads all but what the steps are to one another. */
export function readDag(root: Mapping, problems: Problems, named: TemplateOptions): Omit<Plan, "steps"> & { drafts: Drafts } {
  const fields = new Fields(root, { problems, references: named }, "the definition");
  const config = configOf(fields);
  const top = topOf(fields, { timeoutMs: config.timeoutMs });
  const alone = new Set<string>();
  const drafts = draftsOf(fields, (step) => stepOf(step, config, alone));
  const phases = phasesOf(top.phases, drafts, fields);
  fields.rest();
  return {
    ...top,
    phases,
    checkpoint_interval_ms: config.checkpointIntervalMs,
    names: ["item", "context", "vars", "steps"],
    flow: { kind: "graph", concurrency: config.parallelism, by_level: true },
    drafts: { ...drafts, steps: keptApart(drafts.steps, alone) },
  };
}

function configOf(fields: Fields): Config {
  const config = fields.map("config");
  const read: Config = {
    retries: config?.int("maxRetries", { min: 0, max: MAX_TRIES - 1 }) ?? 0,
    checkpointIntervalMs: config?.duration("checkpointInterval", { min: 1, leastNumber: 1000 }) ?? 60_000,
    parallelism: config?.int("parallelism", { min: 1, max: MAX_CONCURRENCY }) ?? 5,
    continueOnError: config?.boolean("continueOnError") ?? false,
    ...defined({ timeoutMs: config?.duration("timeout", { leastNumber: 1000 }) }),
  };
  config?.rest();
  return read;
}

function stepOf(fields: Fields, config: Config, alone: Set<string>): Draft {
  const key = fields.text(fields.need("key"), KEY) ?? "";
  const needsKey = fields.either("dependencies", "dependsOn");
  const needsAt: Place[] = fields.list(needsKey) ?? [];
  if (fields.boolean("parallel") === false) alone.add(key);
  return draftOf(fields, {
    key,
    name: fields.text("name", NAME),
    needs: fields.texts(needsKey) ?? [],
    needsAt,
    ...bodyOf(fields, config),
    otherwise: (other) => bodyOf(other, config),
  });
}

function bodyOf(fields: Fields, config: Config): Pick<Own, "work" | "retry" | "timeoutMs" | "onFailure"> {
  const goesOn = fields.boolean("continueOnError") ?? config.continueOnError;
  return {
    retry: retriesAt(fields, config),
    timeoutMs: timeoutAt(fields),
    onFailure: goesOn ? "continue" : "stop",
    ...(isTask(fields) && { work: taskOf(fields) }),
  };
}

/** A step that says what to do by `action` and `description`, in words, has no prompt of its own. */
function isTask(fields: Fields): boolean {
  return fields.has("action") && !fields.has("prompt");
}

function taskOf(fields: Fields): PlanWork {
  const task = [fields.text("action"), fields.text("description")].filter((text) => text !== undefined);
  return agentWork(fields, { literal: task.join(": ") });
}

function retriesAt(fields: Fields, config: Config): PlanStep["retry"] {
  const key = fields.either("retryPolicy", "retry", "retries");
  if (key === "retries" && fields.has(key)) return retriesOf(fields.int(key, { min: 0, max: MAX_TRIES - 1 }) ?? 0, RETRY);
  return retryOf(fields, key, RETRY) ?? retriesOf(config.retries, RETRY);
}

function timeoutAt(fields: Fields): number | undefined {
  const key = fields.either("timeoutMs", "timeout");
  return fields.duration(key, { min: 1, leastNumber: key === "timeout" ? 1000 : 0 });
}

/**
 * A step that says `parallel: false` runs beside no other of its level: it waits for those of its level that the author wrote before it,
 * and those after it wait for it.
 */
function keptApart(drafts: Drafts["steps"], alone: ReadonlySet<string>): Draft[] {
  const levels = new Map(graphOf(drafts.map(({ step }) => step)).nodes.map(({ stepKey, level }) => [stepKey, level]));
  /** Of each level: the last step that runs alone, and those after it. */
  const soFar = new Map<number, { barrier: string[]; since: string[] }>();
  return drafts.map((draft) => {
    const { key } = draft.step;
    const { barrier, since } = soFar.get(levels.get(key) ?? 0) ?? { barrier: [], since: [] };
    const isAlone = alone.has(key);
    soFar.set(levels.get(key) ?? 0, isAlone ? { barrier: [key], since: [] } : { barrier, since: [...since, key] });
    return withNeeds(draft, isAlone && since.length > 0 ? since : barrier);
  });
}

function withNeeds(draft: Draft, more: string[]): Draft {
  if (more.length === 0) return draft;
  const needs = [...draft.step.needs, ...more];
  const { otherwise } = draft;
  return {
    ...draft,
    step: { ...draft.step, needs },
    ...(otherwise && { otherwise: { ...otherwise, step: { ...otherwise.step, needs } } }),
  };
}
