import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { DEFAULT_RETENTION, type Retention } from "./contract/retention.js";

/** Days after a run's end; null for ever. */
const days = (name: keyof Retention) =>
  z
    .string()
    .regex(/^(\d{1,5}|never)$/, 'must be a number of days, or "never"')
    .transform((text) => (text === "never" ? null : Number(text)))
    .default(DEFAULT_RETENTION[name]);

const Port = z.coerce.number().int().min(1).max(65_535);

/** Every setting there is. Read once, at the top of a process; nothing else looks at these variables. */
const Environment = z.object({
  LONGHAUL_PORT: Port.default(3456),
  LONGHAUL_HOST: z.string().default("127.0.0.1"),
  LONGHAUL_HOME: z.string().min(1).optional(),
  /** Where the command line finds the API, when that is not this machine's. */
  LONGHAUL_URL: z.url({ protocol: /^https?$/, error: "must begin with http:// or https://" }).optional(),
  /** Names, besides its own address, by which the API may be called, with commas between them: behind a proxy, in a network of containers. */
  LONGHAUL_ALLOWED_HOSTS: z.string().default(""),
  LONGHAUL_TOKEN: z.string().min(16).optional(),
  LONGHAUL_AUTH: z.enum(["token", "off"]).default("token"),
  LONGHAUL_LOG: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  /** Port of Temporal's own page. */
  LONGHAUL_TEMPORAL_UI_PORT: Port.default(8233),
  /** Where Temporal's page is, when the server of TEMPORAL_ADDRESS has one; runs link to it. */
  LONGHAUL_TEMPORAL_UI_URL: z.url().optional(),
  /** The `temporal` binary to use instead of looking for one. */
  LONGHAUL_TEMPORAL_BIN: z.string().min(1).optional(),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must begin with postgres:// or postgresql://")
    .optional(),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^:/]+:\d+$/, "must be host:port")
    .optional(),
  TEMPORAL_NAMESPACE: z.string().default("default"),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS: z.enum(["on", "off"]).default("off"),
  /** Events of Temporal's history after which a run of a plan goes on in a further execution. */
  LONGHAUL_CONTINUE_AFTER: z.coerce.number().int().min(100).max(20_000).default(4_000),
  /** Days for which checkpoints, trees, the output of steps, and runs themselves are kept after a run has ended; or "never" removed. */
  LONGHAUL_KEEP_CHECKPOINTS: days("checkpoints"),
  LONGHAUL_KEEP_TREES: days("trees"),
  LONGHAUL_KEEP_LOGS: days("logs"),
  LONGHAUL_KEEP_RUNS: days("runs"),
  GITHUB_API_URL: z.url().default("https://api.github.com"),
  GITHUB_TOKEN: z.string().optional(),
  /** The `claude` binary to use instead of the one the Agent SDK carries. */
  LONGHAUL_CLAUDE_BIN: z.string().min(1).optional(),
  /** Whether a step may give its agent the permission `bypassPermissions`. */
  LONGHAUL_ALLOW_BYPASS: z.enum(["on", "off"]).default("off"),
  /** The `codex` binary to use instead of the one on PATH. */
  LONGHAUL_CODEX_BIN: z.string().min(1).optional(),
  /** The `gemini` binary to use instead of the one on PATH. */
  LONGHAUL_GEMINI_BIN: z.string().min(1).optional(),
  /** The `grok` binary to use instead of the one on PATH. */
  LONGHAUL_GROK_BIN: z.string().min(1).optional(),
});

export interface Config {
  port: number;
  host: string;
  /** Where everything is kept that is not in a project: data of the servers, worktrees, journal, keys. */
  home: string;
  url: string | undefined;
  /** Lower case, without a port. */
  allowedHosts: string[];
  token: string | undefined;
  auth: "token" | "off";
  log: string;
  temporalUiPort: number;
  temporalUiUrl: string | undefined;
  temporalBin: string | undefined;
  databaseUrl: string | undefined;
  temporalAddress: string | undefined;
  temporalNamespace: string;
  temporalApiKey: string | undefined;
  temporalTls: boolean;
  continueAfter: number;
  /** Days. */
  keep: Retention;
  githubApiUrl: string;
  githubToken: string | undefined;
  claudeBin: string | undefined;
  allowBypass: boolean;
  codexBin: string | undefined;
  geminiBin: string | undefined;
  grokBin: string | undefined;
}

/** The queue of a single machine: workflow tasks and activities alike. */
export const TASK_QUEUE = "longhaul";

/** @throws {Error} naming every variable that is wrong. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = Environment.safeParse(set);
  if (!parsed.success) throw new Error(`The environment is not right.\n${z.prettifyError(parsed.error)}`);

  const e = parsed.data;
  if (e.LONGHAUL_AUTH === "off" && !isLoopback(e.LONGHAUL_HOST)) {
    throw new Error(`LONGHAUL_AUTH=off is for loopback only, and LONGHAUL_HOST is ${e.LONGHAUL_HOST}. Leave LONGHAUL_AUTH out.`);
  }
  return {
    port: e.LONGHAUL_PORT,
    host: e.LONGHAUL_HOST,
    home: e.LONGHAUL_HOME ?? join(homedir(), ".longhaul"),
    url: e.LONGHAUL_URL,
    allowedHosts: e.LONGHAUL_ALLOWED_HOSTS.toLowerCase()
      .split(",")
      .map((name) => name.trim())
      .filter(Boolean),
    token: e.LONGHAUL_TOKEN,
    auth: e.LONGHAUL_AUTH,
    log: e.LONGHAUL_LOG,
    temporalUiPort: e.LONGHAUL_TEMPORAL_UI_PORT,
    temporalUiUrl: e.LONGHAUL_TEMPORAL_UI_URL,
    temporalBin: e.LONGHAUL_TEMPORAL_BIN,
    databaseUrl: e.DATABASE_URL,
    temporalAddress: e.TEMPORAL_ADDRESS,
    temporalNamespace: e.TEMPORAL_NAMESPACE,
    temporalApiKey: e.TEMPORAL_API_KEY,
    temporalTls: e.TEMPORAL_TLS === "on",
    continueAfter: e.LONGHAUL_CONTINUE_AFTER,
    keep: {
      checkpoints: e.LONGHAUL_KEEP_CHECKPOINTS,
      trees: e.LONGHAUL_KEEP_TREES,
      logs: e.LONGHAUL_KEEP_LOGS,
      runs: e.LONGHAUL_KEEP_RUNS,
    },
    githubApiUrl: e.GITHUB_API_URL,
    githubToken: e.GITHUB_TOKEN,
    claudeBin: e.LONGHAUL_CLAUDE_BIN,
    allowBypass: e.LONGHAUL_ALLOW_BYPASS === "on",
    codexBin: e.LONGHAUL_CODEX_BIN,
    geminiBin: e.LONGHAUL_GEMINI_BIN,
    grokBin: e.LONGHAUL_GROK_BIN,
  };
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Where the API is called: a host that listens on every address is asked on loopback. */
export function apiUrl({ host, port, url }: Pick<Config, "host" | "port" | "url">): string {
  return url ?? `http://${reachable(host)}:${port}`;
}

function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
