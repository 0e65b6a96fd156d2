import { AGENTS, isAgentName } from "../contract/agent-provider.js";
import type { JsonObject } from "../contract/json.js";
import type { Agent } from "../sdk/agents.js";
import type { AgentOptions, AgentResult } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { type DoOptions, defined, onTree } from "./call.js";
import type { Engine } from "./engine.js";

/** A step in which a coding agent works in the run's tree. */
export function agentStep(
  engine: Engine,
  key: string,
  provider: Agent["provider"],
  prompt: string,
  options: AgentOptions & DoOptions,
): Promise<AgentResult> {
  const { model, permission, systemPrompt, maxTurns, env, schema, session, ...rest } = options;
  if (!isAgentName(provider)) {
    const known = Object.keys(AGENTS).map((name) => `"${name}"`);
    throw new StepFailed(key, "provider_unavailable", `The agent "${provider}" cannot be run here; ${known.join(" and ")} can.`);
  }
  const input = { prompt, ...defined({ model, permission, systemPrompt, maxTurns, schema, session }) };
  const shown = { provider, ...input } as JsonObject; // options are JSON by their types
  return engine.step({ kind: "agent", key, options: rest, input: shown }, (place) =>
    onTree(engine, place, rest, place.step.key === key ? provider : `${key} (${provider})`, (activities, call) =>
      activities.agent(call({ provider, name: key, ...input, ...defined({ env }) })),
    ),
  );
}
