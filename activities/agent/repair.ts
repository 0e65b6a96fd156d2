import type { ClaudeEnd, ClaudeRequest } from "./claude.js";

/**
 * One turn; and when what it answers does not fit the schema, one more in the same session, which is told what is wrong. None is made
 * when the agent has no turns left.
 *
 * @returns the end of the last turn. Usage, and what was refused, are of both.
 */
export async function withRepair(
  request: ClaudeRequest,
  turn: (request: ClaudeRequest) => Promise<ClaudeEnd>,
): Promise<ClaudeEnd> {
  const first = await turn(request);
  const { maxTurns, schema } = request;
  const turnsLeft = maxTurns === undefined ? undefined : maxTurns - first.usage.turns;
  if (!schema || !first.failure?.isUnfit || (turnsLeft !== undefined && turnsLeft < 1)) return first;

  const second = await turn({
    ...request,
    prompt: repairPrompt(first.failure.message, schema),
    maxTurns: turnsLeft,
    resume: first.sessionId,
    sessionFile: request.sessionFile.replace(/(\.json)?$/, "-repair.json"),
    lineage: `${request.lineage}/repair`,
  });
  const both = {
    ...second,
    // Tokens and cost are the session's, over all its turns.
    usage: { ...second.usage, turns: first.usage.turns + second.usage.turns },
    permissionDenials: [...first.permissionDenials, ...second.permissionDenials],
  };
  if (!second.failure) return both;
  const message = second.failure.isUnfit
    ? `Asked again, it still does not fit. ${second.failure.message}`
    : `${first.failure.message} Asked again: ${second.failure.message}`;
  const data = second.data ?? first.data;
  return {
    ...both,
    text: second.text || first.text,
    ...(data === undefined ? {} : { data }),
    failure: { type: "agent_schema_failed", message },
  };
}

function repairPrompt(problem: string, schema: Record<string, unknown>): string {
  return [
    `Your answer could not be used. ${problem}`,
    "Give your answer once more, and nothing else: do no further work. It must be JSON that fits this schema:",
    JSON.stringify(schema),
  ].join("\n\n");
}
