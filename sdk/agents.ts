/** A coding agent by its provider's name. */
export interface Agent {
  provider: "claude" | "codex" | "gemini" | "grok";
}

export const claude: Agent = { provider: "claude" };
export const codex: Agent = { provider: "codex" };
export const gemini: Agent = { provider: "gemini" };
export const grok: Agent = { provider: "grok" };
