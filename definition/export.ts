import type { Problem } from "../contract/errors.js";
import type { Json, JsonObject } from "../contract/json.js";
import type {
  Chosen,
  Condition,
  Plan,
  PlanCheck,
  PlanPanel,
  PlanRetry,
  PlanStep,
  PlanWork,
  Ref,
  Value,
} from "../contract/plan.js";
import { defined } from "./defined.js";
import type { DialectReader } from "./dialect.js";
import { below } from "./node.js";
import { type Path, showPath } from "./path.js";
import type { Mark } from "./placeholder.js";
import { Problems } from "./problems.js";
import { read } from "./read.js";
import { elseKey } from "./references.js";
import { writeTemplate } from "./write-template.js";
import { yamlOf } from "./write-yaml.js";

export type ExportResult = { ok: true; text: string } | { ok: false; problems: Problem[] };

/** How a dialect writes what is not the same in all of them. */
export interface Writing {
  reader: DialectReader;
  /** Under which a step has its key. */
  keyWord: string;
  marks: readonly [Mark, ...Mark[]];
  /** Keys at the top besides the common ones. */
  top(plan: Plan): JsonObject;
  /** Keys of a step besides the common ones. */
  step(step: PlanStep): JsonObject;
  /** What is written instead of the common form of the whole. @default the common form */
  whole?(common: JsonObject, plan: Plan): JsonObject;
  /** Conditions stand within the marks: `${a.b == 1}`. @default false */
  marksConditions?: boolean;
}

/**
 * Write a plan in a dialect. The text is compiled and must give the same plan again; where it does not, the problems name what the
 * dialect cannot say.
 */
export function written(plan: Plan, writing: Writing, format: "yaml" | "json" = "yaml"): ExportResult {
  const common = definitionOf(plan, writing);
  const definition = writing.whole?.(common, plan) ?? common;
  const text = format === "json" ? `${JSON.stringify(definition, null, 2)}\n` : yamlOf(definition);
  const { dialect } = writing.reader;
  const again = read(text, `definition.${format}`);
  if (!again.ok) return { ok: false, problems: again.problems.map(({ message }) => ({ path: "", message })) };
  const problems = new Problems();
  const compiled = writing.reader.compile(again.root, problems, `definition.${format}`);
  const refused = problems
    .list()
    .map(({ path, message }) => ({ path, message: `The dialect ${dialect} cannot say this: ${message}` }));
  const lost = problems.some ? [] : differences(plan, compiled, "");
  if (refused.length + lost.length === 0) return { ok: true, text };
  return {
    ok: false,
    problems: [
      ...refused,
      ...lost.map((path) => ({ path, message: `The dialect ${dialect} cannot say "${path}" of the plan.` })),
    ],
  };
}

function definitionOf(plan: Plan, writing: Writing): JsonObject {
  const { name, description, version, author, tags, phases, input_schema, activities, timeout_ms, budget } = plan;
  return {
    dialect: writing.reader.dialect,
    ...defined({ name, description, version, author }),
    ...(tags.length > 0 && { tags }),
    ...(phases.length > 0 && { phases }),
    ...defined({ input: input_schema, activities }),
    timeout: milliseconds(timeout_ms),
    ...(budget && { budget: { ...defined(budget) } }),
    ...writing.top(plan),
    steps: stepsOf(plan.steps, writing),
    ...(plan.on_failure && { on_failure: stepsOf(plan.on_failure, writing) }),
    ...(plan.finally && { finally: stepsOf(plan.finally, writing) }),
  };
}

/** The steps, each with its `else` inside of it. */
function stepsOf(steps: readonly PlanStep[], writing: Writing): JsonObject[] {
  const others = new Map<string, PlanStep>();
  for (const step of steps) {
    const other = steps.find(({ key, condition }) => key === elseKey(step.key) && isNot(condition, step.condition));
    if (other) others.set(step.key, other);
  }
  const nested = new Set(others.values());
  const nestedKeys = new Set([...nested].map(({ key }) => key));
  return steps
    .filter((step) => !nested.has(step))
    .map((step) => {
      const other = others.get(step.key);
      const needs = step.needs.filter((need) => !nestedKeys.has(need));
      return {
        [writing.keyWord]: step.key,
        ...writing.step({ ...step, needs }),
        ...(step.condition && { if: conditionOf(step.condition, writing) }),
        ...commonOf(step, writing),
        ...(other && { else: commonOf(other, writing) }),
      };
    });
}

function commonOf(step: PlanStep, writing: Writing): JsonObject {
  const { phase, for_each, retry, timeout_ms, idle_timeout_ms, on_failure, optional, output_schema, assign, summary } = step;
  return {
    ...defined({ phase }),
    ...workOf(step.work, writing),
    ...(for_each && { for_each: jsonOf(for_each.items, writing), concurrency: for_each.concurrency }),
    ...(retry !== undefined && { retry: retry && retryOf(retry) }),
    ...(timeout_ms !== undefined && { timeout: milliseconds(timeout_ms) }),
    ...(idle_timeout_ms !== undefined && { idle_timeout: milliseconds(idle_timeout_ms) }),
    ...(on_failure !== "stop" && { on_failure }),
    ...defined({ optional, output_schema, assign }),
    ...(summary && { summary: jsonOf(summary, writing) }),
  };
}

function workOf(work: PlanWork, writing: Writing): JsonObject {
  const write = (value: Value | undefined) => (value === undefined ? undefined : jsonOf(value, writing));
  switch (work.kind) {
    case "agent": {
      const { provider, panel, prompt, role, profile, skills, mcp_servers, system_prompt, model, permission } = work;
      const { max_turns, secrets, ask, budget, verify } = work;
      const chosen = (text: Chosen | undefined) => write(typeof text === "string" ? { literal: text } : text);
      const texts = { prompt: write(prompt), system_prompt: write(system_prompt), model: chosen(model) };
      const files = { role: chosen(role), profile: chosen(profile), skills, mcp_servers };
      const checks = verify?.map((check) => checkOf(check, writing));
      return {
        type: "agent",
        ...(panel && panelText(panel, chosen)),
        ...defined({
          agent: chosen(provider),
          ...files,
          ...texts,
          permission,
          max_turns,
          secrets,
          ask: ask && askFields(ask),
          budget: budget && { ...defined(budget) },
          verify: checks,
        }),
      };
    }
    case "shell": {
      const { command, cwd, env, allow_failure, secrets } = work;
      const variables = env && Object.fromEntries(Object.entries(env).map(([name, value]) => [name, jsonOf(value, writing)]));
      return { type: "script", ...defined({ command: write(command), cwd: write(cwd), env: variables, allow_failure, secrets }) };
    }
    case "tool":
      return { type: "tool", tool: `${work.server}.${work.tool}`, params: jsonOf(work.params, writing) };
    case "activity":
      return { type: "activity", activity: work.activity, params: jsonOf(work.params, writing) };
    case "approval": {
      const { message, fields, deadline_ms, default: answer, approvers, required, rejections, remind_every_ms, on_reject } = work;
      const deadline = deadline_ms === undefined ? undefined : milliseconds(deadline_ms);
      const people = { approvers, required, rejections, remind_every: remind_every_ms };
      return {
        type: "approval",
        ...defined({ message: write(message), fields, deadline, default: answer, ...people, on_reject }),
      };
    }
    case "sleep":
      return { type: "sleep", duration: jsonOf(work.duration, writing) };
    case "wait": {
      const deadline = work.deadline_ms === undefined ? undefined : milliseconds(work.deadline_ms);
      return { type: "wait", event: jsonOf(work.event, writing), ...defined({ deadline }) };
    }
    case "workflow":
      return { type: "workflow", workflow: work.workflow, input: jsonOf(work.input, writing) };
  }
}

function panelText(
  { members, strategy, agree_on }: PlanPanel,
  chosen: (text: Chosen | undefined) => Json | undefined,
): JsonObject {
  const providers = members.map(({ name, provider, role, model }) =>
    defined({ name, provider, role: chosen(role), model: chosen(model) }),
  );
  return { mode: "parallel", providers, strategy, ...defined({ agree_on }) };
}

function askFields({
  deadline_ms,
  default: answer,
}: {
  deadline_ms?: number | undefined;
  default?: string | undefined;
}): JsonObject {
  return defined({ deadline: deadline_ms === undefined ? undefined : milliseconds(deadline_ms), default: answer });
}

function checkOf(check: PlanCheck, writing: Writing): JsonObject {
  if ("tree_changed" in check) return check;
  if ("file_exists" in check) return { file_exists: jsonOf(check.file_exists, writing) };
  if ("branch_pushed" in check) return { branch_pushed: check.branch_pushed === true || jsonOf(check.branch_pushed, writing) };
  const timeout = check.timeout_ms === undefined ? undefined : milliseconds(check.timeout_ms);
  return { command: jsonOf(check.command, writing), ...defined({ timeout }) };
}

function retryOf({ retryableErrors, ...retry }: PlanRetry): JsonObject {
  return retryableErrors ? { ...retry, retryableErrors } : { ...retry };
}

function jsonOf(value: Value, { marks }: Writing): Json {
  return writeTemplate(value, marks, pathOf);
}

function conditionOf(condition: Condition, writing: Writing): Json {
  const constant = "cel" in condition && ["true", "false"].includes(condition.cel) ? condition.cel === "true" : undefined;
  if (constant !== undefined) return constant;
  const [mark] = writing.marks;
  const marked = writing.marksConditions || "truthy" in condition;
  const expression = expressionOf(condition);
  if (!marked) return expression;
  return mark === "{{" ? `{{ ${expression} }}` : `\${${expression}}`;
}

/** A condition without marks. */
export function expressionOf(condition: Condition): string {
  if ("truthy" in condition) return showPath(pathOf(condition.truthy));
  if ("cel" in condition) return condition.cel;
  return "truthy" in condition.not ? `!${expressionOf(condition.not)}` : `!(${expressionOf(condition.not)})`;
}

/** A bare name stands for itself; every root is written out. */
function pathOf([root, ...path]: Ref): Path {
  return root === "name" ? path : [root, ...path];
}

function isNot(condition: Condition | undefined, other: Condition | undefined): boolean {
  return (
    condition !== undefined &&
    other !== undefined &&
    "not" in condition &&
    JSON.stringify(condition.not) === JSON.stringify(other)
  );
}

/** Under a second in words, as a bare number would be taken for seconds. */
function milliseconds(ms: number): Json {
  return ms > 0 && ms < 1000 ? `${ms}ms` : ms;
}

/** Where two values differ: the outermost paths. */
function differences(one: unknown, other: unknown, path: string): string[] {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null)
    return Object.is(one, other) ? [] : [path];
  if (Array.isArray(one) !== Array.isArray(other)) return [path];
  if (Array.isArray(one) && Array.isArray(other)) {
    if (one.length !== other.length) return [path];
    return one.flatMap((item, i) => differences(item, other[i], below(path, i)));
  }
  const [left, right] = [new Map(Object.entries(one)), new Map(Object.entries(other))];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) =>
    differences(left.get(key), right.get(key), below(path, key)),
  );
}
