import type { AgentName } from "../contract/agent-provider.js";
import type { Budget } from "../contract/budget.js";
import type { Json, JsonObject } from "../contract/json.js";
import type { Chosen, PlanPanel, PlanStep, PlanWork, Value } from "../contract/plan.js";
import { ConditionError, meets } from "../definition/meets.js";
import { providerOf } from "../definition/providers.js";
import { asText, RenderError, render } from "../definition/render.js";
import { renderCommand } from "../definition/render-command.js";
import type { Scope } from "../definition/scope.js";
import type { AgentOptions, AgentResult, BudgetOption } from "../sdk/context.js";
import type { PanelAnswer, PanelAnswers } from "../sdk/panel.js";
import { StepFailed } from "../sdk/step-failed.js";
import { activityStep } from "./activity-step.js";
import { agentStep } from "./agent-step.js";
import { approve } from "./approval.js";
import { asJson } from "./as-json.js";
import { type DoOptions, defined } from "./call.js";
import { renderChecks } from "./checks.js";
import { child } from "./child.js";
import { SkippedByHand } from "./controls.js";
import type { Engine, StepPlan } from "./engine.js";
import { nap } from "./nap.js";
import { type Panel, panelStep } from "./panel.js";
import { shellStep } from "./shell-step.js";
import { timed } from "./timed.js";
import { toolStep } from "./tool-step.js";
import { waitForEvent } from "./wait-for-event.js";

/** What a step gave; `skipped` when its condition was not met. */
export type Done = { output: Json } | "skipped";

/**
 * Do one step of a plan, or one item of its for-each, with all references looked up in `scope`.
 *
 * @param more `session`: an agent goes on with it
 * @throws {StepFailed} when it has failed; of type `missing_value`, `unfit_value` or `condition_failed` when it could not begin.
 */
export async function doStep(
  engine: Engine,
  step: PlanStep,
  scope: Scope,
  more: Pick<WorkOptions, "session"> = {},
): Promise<Done> {
  let begin: () => Promise<Json>;
  try {
    if (step.condition && !meets(step.condition, scope)) return await skip(engine, step);
    begin = prepare(engine, step, { ...optionsOf(step), ...summaryOf(step, scope), ...more }, scope);
  } catch (error) {
    return refuse(engine, step, error);
  }
  try {
    return { output: await begin() };
  } catch (error) {
    if (error instanceof SkippedByHand) return "skipped";
    throw error;
  }
}

/** Leaves a row that says so. */
export async function skip(engine: Engine, step: PlanStep): Promise<"skipped"> {
  await engine.step(notBegun(step, { ...optionsOf(step), if: false }), () => timed(async () => null));
  return "skipped";
}

/**
 * A step that cannot begin, since what it needs is not there, has failed, and leaves a row that says why.
 *
 * @throws {StepFailed} always, or what is no such reason.
 */
export function refuse(engine: Engine, step: PlanStep, reason: unknown): Promise<never> {
  if (!(reason instanceof RenderError || reason instanceof ConditionError)) throw reason;
  const { type, message } = reason;
  return engine.step(notBegun(step, { ...optionsOf(step), retry: false }), () =>
    Promise.reject(new StepFailed(step.key, type, message)),
  );
}

/** `session`: of an agent, the one that goes on. */
type WorkOptions = DoOptions & Pick<AgentOptions, "session">;

/** Looks all references up, and gives what then does the step. */
function prepare(
  engine: Engine,
  { key, work }: PlanStep,
  { session, ...options }: WorkOptions,
  scope: Scope,
): () => Promise<Json> {
  const text = (value: Value) => asText(render(value, scope));
  const optional = (value: Value | undefined) => (value === undefined ? undefined : text(value));
  switch (work.kind) {
    case "shell": {
      const { command, env: values } = renderCommand(work.command, scope);
      const env = work.env && Object.fromEntries(Object.entries(work.env).map(([name, value]) => [name, text(value)]));
      const more = defined({ cwd: optional(work.cwd), allowFailure: work.allow_failure, env, secrets: work.secrets });
      return async () => ({ ...(await shellStep(engine, key, command, { ...options, ...more }, values)) });
    }
    case "agent": {
      const { outputSchema: schema, ...rest } = options;
      const chosen = (what: Chosen | undefined) => (what === undefined ? undefined : choose(what, scope));
      const files = { role: chosen(work.role), profile: chosen(work.profile), skills: work.skills, mcpServers: work.mcp_servers };
      const may = { permission: work.permission, defaultPermission: work.default_permission };
      const said = {
        model: chosen(work.model),
        systemPrompt: optional(work.system_prompt),
        maxTurns: work.max_turns,
        secrets: work.secrets,
        ask: askOf(work),
        budget: optionOf(work.budget),
      };
      const all = { ...rest, ...defined({ ...files, ...may, ...said, schema, session }) };
      const prompt = text(work.prompt);
      const provider = providerFor(chosen(work.provider));
      const checks = renderChecks(work.verify, scope);
      if (work.panel) {
        const panel = panelFor(work.panel, chosen);
        return async () => panelAnswered(panel, await panelStep(engine, key, panel, prompt, all, checks));
      }
      return async () => answered(await agentStep(engine, key, provider, prompt, all, checks));
    }
    case "tool": {
      const params = render(work.params, scope);
      if (typeof params !== "object" || params === null || Array.isArray(params))
        throw new RenderError("unfit_value", `"params" of a tool are an object, not ${JSON.stringify(params).slice(0, 100)}.`);
      return () => toolStep(engine, key, work, params, options);
    }
    case "activity": {
      const args = [render(work.params, scope)];
      return () => activityStep(engine, key, { hash: functionsOf(engine), name: work.activity, args }, options);
    }
    case "approval": {
      const { fields, deadline_ms: deadlineMs, default: byDefault, remind_every_ms: remindEveryMs, on_reject } = work;
      const { approvers, required, rejections } = work;
      const request = {
        ...{ message: text(work.message), failRejected: on_reject !== "continue" },
        ...defined({ fields, deadlineMs, default: byDefault, remindEveryMs, approvers, required, rejections }),
      };
      return async () => asJson(await approve(engine, key, request, options), `the answer to ${key}`);
    }
    case "wait": {
      const wait = { event: text(work.event), ...defined({ deadlineMs: work.deadline_ms }) };
      return () => waitForEvent(engine, key, wait, options);
    }
    case "sleep": {
      const duration = render(work.duration, scope);
      return async () => {
        await nap(engine, key, duration, options);
        return null;
      };
    }
    case "workflow": {
      const input = render(work.input, scope);
      return () => child(engine, key, { workflow: work.workflow, input }, options);
    }
  }
}

function askOf({ ask }: PlanWork & { kind: "agent" }): AgentOptions["ask"] {
  return ask && defined({ deadline: ask.deadline_ms, default: ask.default });
}

/** The loader takes no plan that calls functions and comes without them. */
function functionsOf({ spec: { program } }: Engine): string {
  if (program.activities_hash) return program.activities_hash;
  throw new Error("A plan that calls functions came without them.");
}

function optionOf(budget: Budget | undefined): BudgetOption | undefined {
  if (!budget) return undefined;
  const { on_reached, ...measures } = budget;
  return defined({ ...measures, onReached: on_reached });
}

/** @throws {RenderError} `unfit_value` when it is the name of none that can run. */
function providerFor(name: string | undefined): AgentName | undefined {
  if (name === undefined) return undefined;
  const found = providerOf(name);
  if ("problem" in found) throw new RenderError("unfit_value", found.problem);
  return found.provider;
}

function panelFor({ members, strategy, agree_on }: PlanPanel, chosen: (what: Chosen | undefined) => string | undefined): Panel {
  const all = members.map(({ name, provider, role, model }) => ({
    name,
    ...defined({ provider, role: chosen(role), model: chosen(model) }),
  }));
  return { members: all, strategy, agreeOn: agree_on };
}

/** @throws {RenderError} `unfit_value` when what is chosen is no text. */
function choose(chosen: Chosen, scope: Scope): string {
  const text = typeof chosen === "string" ? chosen : render(chosen, scope);
  if (typeof text === "string" && text.trim() !== "") return text;
  throw new RenderError(
    "unfit_value",
    `An agent, its role, profile and model are chosen by a text, not ${JSON.stringify(text)}.`,
  );
}

/** What later steps see of an agent's answer; `result` is what it said: its data when there are, else its text. */
function answered({ data, text, sessionId, filesChanged, instructionFiles: files, verified }: AgentResult): Json {
  const said = (data ?? text) as Json; // data came as JSON
  const instructionFiles = files?.map((file) => ({ ...file }));
  const more = { ...(data === undefined ? {} : { data: said }), ...(instructionFiles && { instructionFiles }) };
  return { result: said, text, ...more, sessionId, filesChanged, ...defined({ verified }) };
}

/** Each agent's answer by its name, where all are needed; else the one there is, as a single agent's. */
function panelAnswered({ strategy }: Panel, result: PanelAnswers | PanelAnswer): Json {
  if (strategy !== "all") {
    const { winner, agreed, ...answer } = result as PanelAnswer; // by its strategy
    return { ...(answered(answer) as JsonObject), winner, agreed };
  }
  return Object.fromEntries(Object.entries(result as PanelAnswers).map(([name, answer]) => [name, answered(answer)]));
}

function notBegun({ key, work }: PlanStep, options: DoOptions): StepPlan {
  return { kind: work.kind, key, options, input: null };
}

function optionsOf({ name, phase, retry, timeout_ms, idle_timeout_ms, output_schema }: PlanStep): DoOptions {
  return defined({ name, phase, retry, timeout: timeout_ms, idleTimeout: idle_timeout_ms, outputSchema: output_schema });
}

function summaryOf({ summary }: PlanStep, scope: Scope): DoOptions {
  return summary === undefined ? {} : { summary: asText(render(summary, scope)) };
}
