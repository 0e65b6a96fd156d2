import { AGENTS, type AgentName } from "../contract/agent-provider.js";
import { didYouMean } from "./nearest.js";

/** Agents that can run steps, by every name they go by. */
const READY: Readonly<Record<string, AgentName>> = { claude: "claude", "claude-code": "claude", codex: "codex" };
const LATER = ["gemini", "grok"];

/** Every name of an agent that can run steps. */
export const PROVIDER_NAMES: readonly string[] = Object.keys(READY);

/** Who runs a step that only names a role. */
export const DEFAULT_PROVIDER: AgentName = "claude";

/** Whether a name is a provider's, ready or not; any other is a role. */
export function isProvider(name: string): boolean {
  return Object.hasOwn(READY, name) || LATER.includes(name);
}

/** The canonical name of a provider, or a sentence. */
export function providerOf(name: string): { provider: AgentName } | { problem: string } {
  if (Object.hasOwn(READY, name)) return { provider: READY[name] ?? DEFAULT_PROVIDER };
  if (LATER.includes(name))
    return {
      problem: `The agent "${name}" cannot run steps yet. Use ${Object.keys(AGENTS)
        .map((ready) => `"${ready}"`)
        .join(" or ")}.`,
    };
  const known = Object.keys(READY);
  return { problem: `No agent is called "${name}".${didYouMean(name, known)} Known are ${known.join(", ")}.` };
}
