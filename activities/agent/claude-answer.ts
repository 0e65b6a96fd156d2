import type { SDKResultMessage } from "@anthropic-ai/claude-agent-sdk";
import { objectIn } from "../../definition/answer.js";
import { type AgentAnswer, type AgentFailure, checkData, firstLine } from "./answer.js";

/**
 * Read the payload, never an exit code: an API error comes as a success with `is_error`. An agent that was asked for a structured
 * answer and says it in words has given it, when its text is the JSON object or ends with it.
 */
export function readAnswer(result: SDKResultMessage, schema: Record<string, unknown> | undefined): AgentAnswer {
  const text = result.subtype === "success" ? result.result : "";
  const data = result.subtype === "success" ? (result.structured_output ?? (schema && objectIn(text))) : undefined;
  const failure = failureOf(result) ?? (schema ? checkData(data, schema) : null);
  return { text, ...(data === undefined ? {} : { data }), failure };
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
