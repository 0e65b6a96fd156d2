import { type Left, MEASURES, type Spent, spentBy } from "../../contract/budget.js";
import type { AgentUsage } from "./answer.js";
import type { AgentEnd, AgentProvider, AgentRequest } from "./provider.js";

/**
 * One turn; and when what it answers does not fit the schema, one more in the same session, which is told what is wrong. None is made
 * when the agent has no turns left, or nothing of its budget.
 *
 * @returns the end of the last turn. Usage, and what was refused, are of both.
 */
export async function withRepair(request: AgentRequest, provider: Pick<AgentProvider, "run">): Promise<AgentEnd> {
  const first = await provider.run(request);
  const { maxTurns, schema, left = {} } = request;
  const turnsLeft = maxTurns === undefined ? undefined : maxTurns - first.usage.turns;
  if (!schema || !first.failure?.isUnfit || first.sessionId === null || (turnsLeft !== undefined && turnsLeft < 1)) return first;
  const rest = without(left, spentBy(first.usage, 0));
  if (MEASURES.some((measure) => rest[measure] === 0)) return first;

  const second = await provider.run({
    ...request,
    prompt: repairPrompt(first.failure.message, schema),
    maxTurns: turnsLeft,
    left: rest,
    resume: first.sessionId,
    fork: false,
    sessionFile: request.sessionFile.replace(/(\.json)?$/, "-repair.json"),
    lineage: `${request.lineage}/repair`,
  });
  const both = {
    ...second,
    usage: usageOfBoth(first.usage, second.usage),
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

function without(left: Left, spent: Spent): Left {
  return Object.fromEntries(
    MEASURES.flatMap((each) => {
      const rest = left[each];
      return rest === undefined ? [] : [[each, Math.max(0, rest - spent[each])]];
    }),
  );
}

function usageOfBoth(first: AgentUsage, second: AgentUsage): AgentUsage {
  return {
    input_tokens: first.input_tokens + second.input_tokens,
    output_tokens: first.output_tokens + second.output_tokens,
    cache_read_input_tokens: first.cache_read_input_tokens + second.cache_read_input_tokens,
    cache_creation_input_tokens: first.cache_creation_input_tokens + second.cache_creation_input_tokens,
    cost_usd: first.cost_usd === null || second.cost_usd === null ? null : first.cost_usd + second.cost_usd,
    turns: first.turns + second.turns,
    model: second.model ?? first.model,
  };
}

function repairPrompt(problem: string, schema: Record<string, unknown>): string {
  return [
    `Your answer could not be used. ${problem}`,
    "Give your answer once more, and nothing else: do no further work. It must be JSON that fits this schema:",
    JSON.stringify(schema),
  ].join("\n\n");
}
