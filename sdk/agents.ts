import type { AgentName } from "../contract/agent-provider.js";

/** A coding agent by its provider's name; `acp:my-agent --flag` is any that speaks the Agent Client Protocol. */
export interface Agent {
  provider: AgentName;
}

export const claude: Agent = { provider: "claude" };
export const codex: Agent = { provider: "codex" };
export const gemini: Agent = { provider: "gemini" };
export const grok: Agent = { provider: "grok" };
