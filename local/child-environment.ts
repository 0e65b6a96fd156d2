import type { Config } from "../config.js";

/** Where the servers are that a child of the supervisor talks to. */
export interface Addresses {
  temporalAddress: string;
  temporalUiUrl: string | null;
  databaseUrl: string;
}

/** Temporal's core has many threads, and glibc gives each of them memory of its own: with fewer arenas a worker needs 30 MB less. */
const FEW_ARENAS = { MALLOC_ARENA_MAX: "2", LONGHAUL_FEW_ARENAS: "1" };

/**
 * The environment of the worker and the API: ours, with every setting written out as it was read and the addresses of
 * the servers. So a child comes to the same `Config`, whether a setting came from the environment or from a caller.
 *
 * @param token what clients of the API must show; undefined for a child that answers no clients.
 */
export function childEnvironment(config: Config, home: string, addresses: Addresses, token?: string): NodeJS.ProcessEnv {
  const settings: Record<string, string | undefined> = {
    LONGHAUL_PORT: String(config.port),
    LONGHAUL_HOST: config.host,
    LONGHAUL_HOME: home,
    LONGHAUL_TOKEN: token,
    LONGHAUL_AUTH: config.auth,
    LONGHAUL_LOG: config.log,
    LONGHAUL_TEMPORAL_UI_PORT: String(config.temporalUiPort),
    LONGHAUL_TEMPORAL_UI_URL: addresses.temporalUiUrl ?? undefined,
    LONGHAUL_TEMPORAL_BIN: config.temporalBin,
    DATABASE_URL: addresses.databaseUrl,
    TEMPORAL_ADDRESS: addresses.temporalAddress,
    TEMPORAL_NAMESPACE: config.temporalNamespace,
    TEMPORAL_API_KEY: config.temporalApiKey,
    TEMPORAL_TLS: config.temporalTls ? "on" : "off",
    LONGHAUL_CONTINUE_AFTER: String(config.continueAfter),
    GITHUB_API_URL: config.githubApiUrl,
    GITHUB_TOKEN: config.githubToken,
    LONGHAUL_CLAUDE_BIN: config.claudeBin,
    LONGHAUL_ALLOW_BYPASS: config.allowBypass ? "on" : "off",
    LONGHAUL_CODEX_BIN: config.codexBin,
    LONGHAUL_GEMINI_BIN: config.geminiBin,
    LONGHAUL_GROK_BIN: config.grokBin,
  };
  const all = { ...process.env, ...settings, ...(process.env.MALLOC_ARENA_MAX === undefined ? FEW_ARENAS : {}) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
