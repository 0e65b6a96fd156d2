import type { AgentName } from "../../contract/agent-provider.js";
import { SecretMask } from "../secret-mask.js";
import { claude } from "./claude.js";
import { codex } from "./codex.js";
import type { AgentProvider } from "./provider.js";

/** Every agent that can run steps, by its canonical name. */
export const PROVIDERS: Readonly<Record<AgentName, AgentProvider>> = { claude, codex };

/**
 * Hides the agents' credentials in an environment.
 *
 * @param others texts that are to be hidden as well
 */
export function credentialMask(env: Readonly<Record<string, string | undefined>>, others: readonly string[] = []): SecretMask {
  const credentials = Object.values(PROVIDERS).flatMap(({ credentials }) => credentials.flatMap((name) => env[name] ?? []));
  return new SecretMask([...credentials, ...others].filter((secret) => secret.length >= 8));
}
