import { createHash } from "node:crypto";
import { type AgentName, isNamedAgent, type NamedAgent } from "../../contract/agent-provider.js";
import { SecretMask } from "../secret-mask.js";
import { acp } from "./acp.js";
import { claude } from "./claude.js";
import { codex } from "./codex.js";
import { gemini } from "./gemini.js";
import { grok } from "./grok.js";
import type { AgentProvider } from "./provider.js";

/** Every agent that has a name of its own, by that. */
export const PROVIDERS: Readonly<Record<NamedAgent, AgentProvider>> = { claude, codex, gemini, grok };

/** Any agent that can run steps. */
export function agentProvider(name: AgentName): AgentProvider {
  return isNamedAgent(name) ? PROVIDERS[name] : acp(name);
}

/** Where an agent's folder is among those of a run. */
export function agentFolder(name: AgentName): string {
  return isNamedAgent(name) ? name : `acp-${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}

/**
 * Hides the agents' credentials in an environment.
 *
 * @param others texts that are to be hidden as well
 */
export function credentialMask(env: Readonly<Record<string, string | undefined>>, others: readonly string[] = []): SecretMask {
  const credentials = Object.values(PROVIDERS).flatMap(({ credentials }) => credentials.flatMap((name) => env[name] ?? []));
  return new SecretMask([...credentials, ...others].filter((secret) => secret.length >= 8));
}
