/** A coding agent by its provider's name. Steps are done by claude and codex; the others are refused so far. */
export interface Agent {
  provider: "claude" | "codex" | "gemini" | "grok";
}

export const claude: Agent = { provider: "claude" };
export const codex: Agent = { provider: "codex" };
export const gemini: Agent = { provider: "gemini" };
export const grok: Agent = { provider: "grok" };
