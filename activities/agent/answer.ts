import type { SDKResultMessage } from "@anthropic-ai/claude-agent-sdk";
import { z } from "zod";
import type { Json } from "../../contract/json.js";
import { objectIn } from "../../definition/answer.js";

/** What a session used, over all its turns. */
export interface AgentUsage {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
  cost_usd: number;
  turns: number;
  model: string | null;
}

export interface PermissionDenial {
  tool: string;
  input: Json;
  reason: string;
}

/** Why an agent step fails, in a word; docs/errors.md has the list. */
export type AgentFailureType =
  | "agent_api_error"
  | "agent_refused"
  | "agent_max_turns"
  | "agent_schema_failed"
  | "agent_failed"
  | "agent_not_installed"
  | "plan_wrote_files"
  | "agent_unverified"
  | "permission_not_allowed";

export interface AgentFailure {
  type: AgentFailureType;
  message: string;
  /** The agent has answered, and only its answer's shape is wrong: it may be asked again. */
  isUnfit?: boolean;
}

/** The end of a turn as its payload tells it. */
export interface AgentAnswer {
  text: string;
  data?: unknown;
  usage: AgentUsage;
  failure: AgentFailure | null;
}

/**
 * Read the payload, never an exit code: an API error comes as a success with `is_error`. An agent that was asked for a structured
 * answer and says it in words has given it, when its text is the JSON object or ends with it.
 */
export function readAnswer(result: SDKResultMessage, schema: Record<string, unknown> | undefined): AgentAnswer {
  const text = result.subtype === "success" ? result.result : "";
  const data = result.subtype === "success" ? (result.structured_output ?? (schema && objectIn(text))) : undefined;
  const failure = failureOf(result) ?? (schema ? checkData(data, schema) : null);
  return { text, ...(data === undefined ? {} : { data }), usage: readUsage(result), failure };
}

function failureOf(result: SDKResultMessage): AgentFailure | null {
  if (result.subtype === "success") {
    if (result.is_error) return { type: "agent_api_error", message: apiError(result.result, result.api_error_status) };
    if (result.stop_reason === "refusal")
      return { type: "agent_refused", message: `The model refused: ${firstLine(result.result)}` };
    return null;
  }
  const detail = firstLine(result.errors.join("; "));
  switch (result.subtype) {
    case "error_max_turns":
      return { type: "agent_max_turns", message: `The agent had not finished after ${result.num_turns} turns.` };
    case "error_max_structured_output_retries":
      return { type: "agent_schema_failed", message: `The agent gave no answer that fits its schema. ${detail}`.trim() };
    default:
      return { type: "agent_failed", message: detail || "The agent ended without saying why." };
  }
}

function apiError(text: string, status: number | null | undefined): string {
  const hint =
    status === 401 || /log ?in/i.test(text)
      ? " Set ANTHROPIC_API_KEY, or CLAUDE_CODE_OAUTH_TOKEN (from `claude setup-token`), where Longhaul is started."
      : "";
  return `The model's API answered with an error: ${firstLine(text)}${hint}`;
}

/** Claude Code checks the schema as well, but an agent that never calls its answer tool passes it by. */
export function checkData(data: unknown, schema: Record<string, unknown>): AgentFailure | null {
  if (data === undefined) return unfit("The agent gave no structured answer.");
  const checked = readSchema(schema)?.safeParse(data);
  if (!checked || checked.success) return null;
  return unfit(`The agent's answer does not fit its schema. ${z.prettifyError(checked.error)}`);
}

function unfit(message: string): AgentFailure {
  return { type: "agent_schema_failed", message, isUnfit: true };
}

/** Undefined for a schema with words that only the provider knows: its own check has to do. */
function readSchema(schema: Record<string, unknown>): z.ZodType | undefined {
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  } catch {
    return undefined;
  }
}

function readUsage(result: SDKResultMessage): AgentUsage {
  const models = Object.entries(result.modelUsage);
  const sum = (pick: (usage: (typeof models)[number][1]) => number) =>
    models.reduce((total, [, usage]) => total + pick(usage), 0);
  const main = models.toSorted(([, a], [, b]) => b.outputTokens - a.outputTokens)[0];
  return {
    input_tokens: sum((usage) => usage.inputTokens),
    output_tokens: sum((usage) => usage.outputTokens),
    cache_read_input_tokens: sum((usage) => usage.cacheReadInputTokens),
    cache_creation_input_tokens: sum((usage) => usage.cacheCreationInputTokens),
    cost_usd: result.total_cost_usd,
    turns: result.num_turns,
    model: main?.[0] ?? null,
  };
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0]?.slice(0, 500) ?? "";
}
