import type { Plan, PlanStep, PlanWork } from "../contract/plan.js";
import { arranged, inSequence } from "./arrange.js";
import { type DialectReader, hasStepsWith } from "./dialect.js";
import { type ExportResult, type Writing, written } from "./export.js";
import { Fields, type TextRule } from "./fields.js";
import type { Mapping } from "./node.js";
import type { Problems } from "./problems.js";
import { knownIn, type Naming, references } from "./references.js";
import { RETRY_DEFAULTS } from "./retry-defaults.js";
import { retriesOf, retryOf } from "./retry-field.js";
import { type Draft, draftOf } from "./step.js";
import { draftsOf, phasesOf, topOf } from "./top.js";
import { toolWork, workOf } from "./work.js";

/** Only `${ }` opens references. A bare name may be of the run's context, such as `repo`, of which a definition knows nothing. */
const NAMING: Naming = { marks: ["${"], bare: "anything" };

/** Of a run that does not say. */
const TIMEOUT_MS = 300_000;
const SNAKE = /^[a-z][a-z0-9_]*$/;
/** As documented, and hyphens: servers that are in use have them in the names of their tools. */
const TOOL = /^[a-z][a-z0-9_-]*\.[a-zA-Z][a-zA-Z0-9_-]*$/;

const MOST_ATTEMPTS = 10;
const LEAST_DELAY_MS = 100;
const SNAKE_WORDS = 'small letters, digits and "_", a letter first';
const STEP_NAME: TextRule = { pattern: { matches: SNAKE, words: SNAKE_WORDS }, max: 100 };
const TOOL_NAME: TextRule = { pattern: { matches: TOOL, words: "server.toolName, such as github.getIssue" }, max: 200 };

/** Calls of tools, one after the other: `steps` with `tool` and `params`, and a `config` for all of them. */
export const tools: DialectReader = {
  dialect: "tools",
  shape: 'steps with a "name" and a "tool"',
  fits: (root) => hasStepsWith(root, "tool") && !hasStepsWith(root, "id", "key"),
  compile,
};

/** What `config` says of the run, and of the steps that do not say it themselves. */
interface Config {
  timeoutMs: number;
  continueOnError: boolean;
  maxRetries: number;
}

function compile(root: Mapping, problems: Problems): Plan {
  const reading = { problems, references: references(NAMING, knownIn(root, "name")) };
  const fields = new Fields(root, reading, "the definition");
  const config = configOf(fields);
  const top = topOf(fields, { timeoutMs: config.timeoutMs });
  if (top.name !== "" && !SNAKE.test(top.name)) {
    fields.problem("name", `"name" must be made of ${SNAKE_WORDS}, not ${JSON.stringify(top.name)}.`);
  }
  const drafts = draftsOf(fields, (step) => stepOf(step, config));
  const phases = phasesOf(top.phases, drafts, fields);
  fields.rest();
  return {
    ...top,
    phases,
    names: ["vars", "steps", "context"],
    flow: { kind: "graph", by_level: false },
    ...arranged({ ...drafts, steps: inSequence(drafts.steps) }, problems),
  };
}

/** A plan as a definition of this dialect, or what this dialect cannot say of it. */
export function toTools(plan: Plan, format: "yaml" | "json" = "json"): ExportResult {
  const writing: Writing = {
    reader: tools,
    keyWord: "name",
    marks: ["${"],
    marksConditions: true,
    top: ({ timeout_ms }) => ({ config: { timeoutMs: timeout_ms } }),
    step: () => ({}),
    whole: ({ timeout: _, ...common }) => common,
  };
  return written(plan, writing, format);
}

function configOf(fields: Fields): Config {
  const config = fields.map("config");
  const read = {
    timeoutMs: config?.int("timeoutMs", { min: 1000 }) ?? TIMEOUT_MS,
    continueOnError: config?.boolean("continueOnError") ?? false,
    maxRetries: config?.int("maxRetries", { min: 0, max: MOST_ATTEMPTS - 1 }) ?? 0,
  };
  config?.rest();
  return read;
}

function stepOf(fields: Fields, config: Config): Draft {
  checkBraces(fields);
  return draftOf(fields, {
    key: fields.text(fields.need("name"), STEP_NAME) ?? "",
    keyWord: "name",
    work: fields.has("tool") ? callOf(fields) : workOf(fields),
    retry: retryAt(fields) ?? retriesOf(config.maxRetries),
    onFailure: config.continueOnError ? "continue" : "stop",
  });
}

function callOf(fields: Fields): PlanWork {
  if (fields.value("type")) fields.oneOf("type", ["tool"]);
  fields.own("params");
  return toolWork(fields, TOOL_NAME);
}

function retryAt(fields: Fields): PlanStep["retry"] {
  const policy = retryOf(fields, "retry");
  const node = fields.value("retry");
  if (!policy || node?.kind !== "map") return policy ?? (node && RETRY_DEFAULTS);
  const retry = new Fields(node, fields.reading, '"retry"');
  if (policy.maxAttempts > MOST_ATTEMPTS) {
    retry.problem("maxAttempts", `A step is tried at most ${MOST_ATTEMPTS} times in all, not ${policy.maxAttempts}.`);
  }
  if (policy.initialDelayMs < LEAST_DELAY_MS) {
    retry.problem("initialDelayMs", `"initialDelayMs" must be at least ${LEAST_DELAY_MS}, not ${policy.initialDelayMs}.`);
  }
  return policy;
}

function checkBraces(fields: Fields): void {
  const node = fields.value("if");
  if (node?.kind !== "scalar" || typeof node.value !== "string" || node.value.trim() === "") return;
  if (/^\$\{.*\}$/s.test(node.value)) return;
  fields.problem("if", `"if" must stand in \${ }, such as "\${issue}" or "\${issue.state == 'open'}", not ${node.raw}.`);
}
