import { type AgentName, unsupportedBy } from "../contract/agent-provider.js";
import { LONGEST_MS } from "../contract/duration.js";
import { type Chosen, Permission, type PlanWork, type Value } from "../contract/plan.js";
import { approvalWork } from "./approval.js";
import { askOf } from "./ask.js";
import { budgetOf } from "./budget.js";
import { commandOf } from "./command-field.js";
import { defined } from "./defined.js";
import { durationMs } from "./duration.js";
import type { Fields, TextRule } from "./fields.js";
import { DEFAULT_PROVIDER, isProvider, providerOf } from "./providers.js";
import { secretsOf } from "./secrets.js";
import { URL_SAFE_NAME } from "./url-safe.js";
import { checksOf } from "./verify.js";

/** What stands in for work that could not be read; no plan is made of it. */
const NOTHING: Value = { literal: "" };

/** Names of servers with tools, as agents can say them. */
const SERVER_NAME: TextRule = {
  pattern: { matches: /^[A-Za-z][\w-]*$/, words: 'letters a to z, digits, "-" and "_"' },
  max: 100,
};

/** Kinds of steps, by the word for `type`. */
const READERS = {
  agent: agentWork,
  script: shellWork,
  shell: shellWork,
  tool: toolWork,
  activity: activityWork,
  approval: approvalWork,
  sleep: sleepWork,
  wait: waitWork,
  workflow: workflowWork,
} satisfies Record<string, (fields: Fields) => PlanWork>;

type Kind = keyof typeof READERS;

/** The key that tells a step's kind when it has no `type`, the more telling ones first. */
const TELLING: readonly [key: string, kind: Kind][] = [
  ["tool", "tool"],
  ["activity", "activity"],
  ["command", "shell"],
  ["prompt", "agent"],
  ["message", "approval"],
  ["duration", "sleep"],
  ["event", "wait"],
  ["workflow", "workflow"],
  ["agent", "agent"],
];

/** What a step does: by its `type`, or by the key that only one kind of step has. Reads that kind's fields. */
export function workOf(fields: Fields): PlanWork {
  const kind = kindOf(fields);
  return kind ? READERS[kind](fields) : { kind: "shell", command: NOTHING };
}

/**
 * An agent's: `agent` is a provider, or a role. One that is chosen in the run is a provider. Where none is said, the role's file or
 * the project may say it.
 *
 * @param task the prompt, when the dialect has other words for it
 */
export function agentWork(fields: Fields, task?: Value): PlanWork & { kind: "agent" } {
  const agent = fields.chosen("agent", { max: 200 });
  const isRole = typeof agent === "string" && !isProvider(agent);
  const named = isRole ? undefined : agent;
  const role = fields.chosen("role", { max: 200 });
  if (role !== undefined && isRole) fields.problem("role", '"agent" names a role already. Keep one of them.');
  const whom = role ?? (isRole ? agent : undefined);
  const [at, chosen] = named === undefined ? ["provider", fields.chosen("provider")] : ["agent", named];
  const provider = chosen === undefined ? undefined : providerAt(fields, at, chosen);
  const maxTurns = fields.int("max_turns", { min: 1 });
  const unsupported = typeof provider === "string" && unsupportedBy(provider, { maxTurns });
  if (unsupported) fields.problem("max_turns", unsupported);
  const budget = budgetOf(fields);
  const uncounted = typeof provider === "string" && unsupportedBy(provider, { budgetUsd: budget?.usd });
  if (uncounted) fields.problem("budget", uncounted);
  const mcpServers = fields.texts("mcp_servers", SERVER_NAME);
  const unserved = typeof provider === "string" && unsupportedBy(provider, { mcpServers });
  if (unserved) fields.problem("mcp_servers", unserved);
  return {
    kind: "agent",
    prompt: task ?? fields.template(fields.need("prompt")) ?? NOTHING,
    ...defined({
      provider,
      role: whom,
      profile: profileAt(fields),
      skills: fields.texts("skills", URL_SAFE_NAME),
      mcp_servers: mcpServers,
      system_prompt: fields.template("system_prompt"),
      model: fields.chosen("model", { max: 200 }),
      permission: fields.oneOf("permission", Permission.options),
      max_turns: maxTurns,
      secrets: secretsOf(fields),
      ask: askOf(fields),
      budget,
      verify: checksOf(fields),
    }),
  };
}

function profileAt(fields: Fields): Chosen | undefined {
  const profile = fields.chosen("profile", { max: 200 });
  return typeof profile === "string" ? fields.text("profile", URL_SAFE_NAME) : profile;
}

function providerAt(fields: Fields, key: string, chosen: Chosen): AgentName | Value {
  if (typeof chosen !== "string") return chosen;
  const found = providerOf(chosen);
  if ("provider" in found) return found.provider;
  fields.problem(key, found.problem);
  return DEFAULT_PROVIDER;
}

export function shellWork(fields: Fields): PlanWork & { kind: "shell" } {
  return {
    kind: "shell",
    command: commandOf(fields),
    ...defined({
      cwd: fields.template("cwd"),
      env: environmentOf(fields),
      allow_failure: fields.boolean("allow_failure"),
      secrets: secretsOf(fields),
    }),
  };
}

/** Names of tools, with that of their server. */
const TOOL_NAME: TextRule = {
  pattern: {
    matches: /^[A-Za-z][\w-]*\.[\w./-]+$/,
    words: "a server's name, a dot and the tool's name, such as github.getIssue",
  },
  max: 200,
};

/** @param rule of the tool's name, where the dialect has one of its own */
export function toolWork(fields: Fields, rule: TextRule = TOOL_NAME): PlanWork & { kind: "tool" } {
  const name = fields.text(fields.need("tool"), rule);
  const [server = "", ...tool] = (name ?? "").split(".");
  return { kind: "tool", server, tool: tool.join("."), params: fields.anyValue("params") ?? { literal: {} } };
}

/** As functions are named. */
const FUNCTION_NAME: TextRule = {
  pattern: { matches: /^[\p{L}_$][\p{L}\p{N}_$]*$/u, words: "letters, digits, _ and $, as the name of a function" },
  max: 100,
};

export function activityWork(fields: Fields): PlanWork & { kind: "activity" } {
  const activity = fields.text(fields.need("activity"), FUNCTION_NAME) ?? "";
  return { kind: "activity", activity, params: fields.anyValue("params") ?? { literal: {} } };
}

export function sleepWork(fields: Fields): PlanWork & { kind: "sleep" } {
  const duration = fields.anyValue(fields.need("duration")) ?? NOTHING;
  if ("literal" in duration) {
    const { literal } = duration;
    const ms = typeof literal === "string" || typeof literal === "number" ? durationMs(literal) : undefined;
    if (fields.has("duration") && (ms === undefined || ms > LONGEST_MS)) {
      fields.problem("duration", '"duration" must be milliseconds, or a text such as "30s" or "2 hours", up to ten years.');
    }
  }
  return { kind: "sleep", duration };
}

export function waitWork(fields: Fields): PlanWork & { kind: "wait" } {
  return {
    kind: "wait",
    event: fields.template(fields.need("event"), { max: 200 }) ?? NOTHING,
    ...defined({ deadline_ms: fields.duration("deadline", { min: 1, leastNumber: 1000 }) }),
  };
}

export function workflowWork(fields: Fields): PlanWork & { kind: "workflow" } {
  return {
    kind: "workflow",
    workflow: fields.text(fields.need("workflow"), { max: 200 }) ?? "",
    input: fields.anyValue("input") ?? { literal: {} },
  };
}

function kindOf(fields: Fields): Kind | undefined {
  const type = fields.value("type");
  if (type?.kind === "scalar" && type.value === "function") {
    fields.problem("type", 'A "function" step needs code: write the workflow in TypeScript, or use "script".');
    return undefined;
  }
  if (type) return fields.oneOf("type", Object.keys(READERS) as Kind[]);
  const kind = TELLING.find(([key]) => fields.has(key))?.[1];
  if (!kind) {
    fields.reading.problems.add(
      fields.node,
      `Nothing says what ${fields.what} does. Give it one of ${TELLING.map(([key]) => key).join(", ")}.`,
    );
  }
  return kind;
}

function environmentOf(fields: Fields): Record<string, Value> | undefined {
  const variables = fields.map("env", '"env", whose keys are variables');
  if (!variables) return undefined;
  return Object.fromEntries(
    variables.node.entries.map(({ key, at, value }) => {
      if (!/^[A-Za-z_]\w*$/.test(key)) fields.reading.problems.add(at, `"${key}" is no name of an environment variable.`);
      if (value.kind !== "scalar" || value.value === null)
        fields.reading.problems.add(value, `The variable "${key}" must be a text.`);
      return [key, variables.anyValue(key) ?? NOTHING];
    }),
  );
}
