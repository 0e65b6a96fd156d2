import { z } from "zod";
import type { Json, JsonObject } from "../../contract/json.js";
import { checkBySchema } from "../../definition/fit-schema.js";

/** What an attempt's turn has used, by workers that were lost as well; nothing of the session's earlier turns. */
export interface AgentUsage {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
  /** Null where the agent does not say. */
  cost_usd: number | null;
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
  | "agent_unsupported"
  | "budget_exceeded"
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
  failure: AgentFailure | null;
}

/** A prompt with the schema of its answer, for an agent that can be told of it in words only. */
export function withSchema(prompt: string, schema: Record<string, unknown> | undefined): string {
  if (schema === undefined) return prompt;
  return `${prompt}\n\nEnd with your answer as one JSON object, and nothing behind it. It must fit this JSON schema:\n${JSON.stringify(schema)}`;
}

/** Null when the answer fits. An agent that checks as well may be passed by: one that never calls its answer tool is. */
export function checkData(data: unknown, schema: Record<string, unknown>): AgentFailure | null {
  if (data === undefined) return unfit("The agent gave no structured answer.");
  const misfit = misfitOf(data, schema);
  return misfit === null ? null : unfit(`The agent's answer does not fit its schema. ${misfit}`);
}

function unfit(message: string): AgentFailure {
  return { type: "agent_schema_failed", message, isUnfit: true };
}

/** By zod, which looks at formats; by Ajv where the schema has words that zod does not take, such as `not`. */
function misfitOf(data: unknown, schema: Record<string, unknown>): string | null {
  const checked = readSchema(schema)?.safeParse(data);
  if (checked) return checked.success ? null : z.prettifyError(checked.error);
  try {
    const fit = checkBySchema(schema as JsonObject, data as Json, "answer");
    return fit.ok ? null : fit.problems.map(({ path, message }) => `${path}: ${message}`).join("\n");
  } catch {
    return null; // it is no schema that anybody reads: the agent's own check has to do
  }
}

/** Undefined for a schema with words that zod does not have. */
function readSchema(schema: Record<string, unknown>): z.ZodType | undefined {
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  } catch {
    return undefined;
  }
}

/** Of an error's text, for a message. */
export function firstLine(text: string): string {
  return text.trim().split("\n")[0]?.slice(0, 500) ?? "";
}
