import type { JsonObject } from "../contract/json.js";
import type { Condition, PlanPanel, PlanStep, PlanWork } from "../contract/plan.js";
import { defined } from "./defined.js";
import type { Fields } from "./fields.js";
import type { Mapping, Place } from "./node.js";
import { panelOf, panelWork } from "./panel.js";
import { RETRY_DEFAULTS } from "./retry-defaults.js";
import { retryOf } from "./retry-field.js";
import { defaultAnswer, defaultPrompt } from "./stage-prompt.js";
import { type Draft, draftOf, NAME } from "./step.js";
import { agentWork, workOf } from "./work.js";

/** What a stage may do to the tree without asking, where nothing says it: nobody is there to be asked. */
export const STAGE_PERMISSION = "acceptEdits";

/** The longest time before another try. */
export const STAGE_MAX_DELAY_MS = 3_600_000;

/** Tries after the first, where a stage says `on_failure: retry` and no number. */
const DEFAULT_RETRIES = 2;
const MOST_RETRIES = 10;

/** Keys that only stages have which are not done by an agent. */
const OTHER_WORK = ["tool", "activity", "command", "message", "duration", "event", "workflow"];

/** What real files say and cannot be done yet, and what to write instead. */
const TO_COME: Readonly<Record<string, string>> = {
  min_iterations: 'To ask for a number of passes write "min_iters" in "loop".',
};

export interface Stage {
  name: string;
  /** Where it is listed. */
  at: Place;
  /** All stages, in order. */
  stages: readonly string[];
  /** Said for the last one of a loop that ends by what it answers. */
  stop: { condition: Condition; text: string } | undefined;
}

/** A stage of which nothing is said. */
export function emptyStage(at: Place): Mapping {
  return { path: at.path, line: at.line, column: at.column, kind: "map", entries: [] };
}

/** One stage: a step of its name, done by an agent where it does not say otherwise. */
export function stageOf(fields: Fields, stage: Stage): Draft {
  refuseWhatIsToCome(fields);
  const asked = askedOf(fields, stage);
  const draft = draftOf(fields, {
    key: stage.name,
    name: fields.text("name", NAME),
    work: workAt(fields, stage, asked),
    retry: retryAt(fields),
  });
  const { step, otherwise } = draft;
  const answer = step.work.kind === "agent" ? asked : undefined;
  return {
    ...draft,
    at: stage.at,
    step: { phase: stage.name, ...defined({ output_schema: answer }), ...step },
    ...(otherwise && { otherwise: { ...otherwise, step: { phase: stage.name, ...otherwise.step } } }),
  };
}

/** The schema of the answer that an agent without a prompt is asked for, whose answer ends the loop. */
function askedOf(fields: Fields, { stages, stop }: Stage): JsonObject | undefined {
  return stop && !fields.has("prompt") ? defaultAnswer(stages, stop.condition) : undefined;
}

function workAt(fields: Fields, { name, stages, stop }: Stage, asked: JsonObject | undefined): PlanWork {
  const panel = panelOf(fields);
  const type = wordAt(fields, "type");
  if ((type !== undefined && type !== "agent") || OTHER_WORK.some((key) => fields.has(key))) {
    if (panel) fields.problem("mode", '"mode: parallel" is for agents. Leave it out, or give the stage a prompt.');
    return workOf(fields);
  }
  const said = wordAt(fields, "role");
  const role = said?.includes("${") ? undefined : said; // a role that is chosen in the run is said to the agent by itself
  const prompt = fields.template("prompt") ?? defaultPrompt({ key: name, role, stages, stopWhen: stop?.text });
  const work = agentWork(fields, prompt);
  if (panel) return panelWork(fields, work, agreeing(panel, asked));
  if (work.permission !== undefined) return work;
  const isOpen = work.role !== undefined || work.profile !== undefined; // their files may say it
  return isOpen ? { ...work, default_permission: STAGE_PERMISSION } : { ...work, permission: STAGE_PERMISSION };
}

/** Of an answer that ends the loop a majority agrees on what ends it, and need not use the same words besides. */
function agreeing(panel: PlanPanel, asked: JsonObject | undefined): PlanPanel {
  const { required } = asked ?? {};
  if (panel.strategy !== "majority" || panel.agree_on || !Array.isArray(required)) return panel;
  return { ...panel, agree_on: required.map(String) };
}

/** In seconds, doubled from try to try. */
function retryAt(fields: Fields): PlanStep["retry"] {
  const retries = fields.int("retries", { min: 0, max: MOST_RETRIES });
  const seconds = fields.number("retry_backoff", { min: 0, max: STAGE_MAX_DELAY_MS / 1000 });
  if (fields.has("retry")) {
    for (const key of ["retries", "retry_backoff"].filter((each) => fields.has(each))) {
      fields.problem(key, `"${key}" and "retry" say the same. Keep one of them.`);
    }
    return retryOf(fields, "retry") ?? RETRY_DEFAULTS;
  }
  const count = retries ?? (wordAt(fields, "on_failure") === "retry" ? DEFAULT_RETRIES : 0);
  if (count === 0 && seconds !== undefined && !fields.has("retries")) {
    fields.problem("retry_backoff", '"retry_backoff" needs "retries", or "on_failure: retry": nothing is tried again.');
  }
  if (count === 0) return undefined;
  return {
    maxAttempts: count + 1,
    backoff: "exponential",
    initialDelayMs: (seconds ?? 1) * 1000,
    maxDelayMs: STAGE_MAX_DELAY_MS,
    multiplier: 2,
  };
}

function refuseWhatIsToCome(fields: Fields): void {
  for (const [key, instead] of Object.entries(TO_COME)) {
    if (fields.value(key)) fields.problem(key, `"${key}" cannot be used in a stage yet. ${instead}`);
  }
}

function wordAt(fields: Fields, key: string): string | undefined {
  const node = fields.value(key);
  return node?.kind === "scalar" && typeof node.value === "string" ? node.value : undefined;
}
