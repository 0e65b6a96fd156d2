import type { AgentName } from "../../contract/agent-provider.js";
import { claude } from "./claude.js";
import { codex } from "./codex.js";
import type { AgentProvider } from "./provider.js";

/** Every agent that can run steps, by its canonical name. */
export const PROVIDERS: Readonly<Record<AgentName, AgentProvider>> = { claude, codex };

/** Replaces the agents' credentials in an environment by `***` wherever they stand in a text. */
export function credentialMask(env: Readonly<Record<string, string | undefined>>): (text: string) => string {
  const secrets = Object.values(PROVIDERS).flatMap(({ credentials }) =>
    credentials.flatMap((name) => {
      const value = env[name];
      return value !== undefined && value.length >= 8 ? [value] : [];
    }),
  );
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
}
