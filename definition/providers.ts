import { AGENTS, type AgentName, isAgentName } from "../contract/agent-provider.js";
import { didYouMean } from "./nearest.js";

/** Other names of agents. */
const ALIASES: Readonly<Record<string, AgentName>> = { "claude-code": "claude" };

/** Every name of an agent, but those by a command. */
export const PROVIDER_NAMES: readonly string[] = [...Object.keys(AGENTS), ...Object.keys(ALIASES)];

/** Who runs a step that only names a role. */
export const DEFAULT_PROVIDER: AgentName = "claude";

/** Whether a name is a provider's, right or not; any other is a role. */
export function isProvider(name: string): boolean {
  return isAgentName(name) || Object.hasOwn(ALIASES, name) || name.startsWith("acp:");
}

/** The canonical name of a provider, or a sentence. */
export function providerOf(name: string): { provider: AgentName } | { problem: string } {
  const provider = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (provider !== undefined && isAgentName(provider)) return { provider };
  if (name.startsWith("acp:")) {
    return { problem: `"${name}" names no command. It is "acp:" with a program and its arguments behind it, quotes closed.` };
  }
  const known = PROVIDER_NAMES.join(", ");
  return { problem: `No agent is called "${name}".${didYouMean(name, PROVIDER_NAMES)} Known are ${known} and acp:<command>.` };
}
