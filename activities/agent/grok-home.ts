import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLAIN } from "../environment.js";
import { homeOf } from "./grok-session.js";
import type { AgentRequest } from "./provider.js";

/** Nobody may read these in a log, transcript or row. */
export const GROK_CREDENTIALS = ["XAI_API_KEY"] as const;

/** All that Grok Build may know of the worker's environment. */
const INHERITED = [...PLAIN, ...GROK_CREDENTIALS, "XAI_BASE_URL"] as const;

const XAI = "https://api.x.ai/v1";

/** What is asked when the step names no model. */
const MODEL = "grok-4.6";

/** Tokens of its context where Grok Build does not know the model. */
const CONTEXT = 256_000;

/** What asks a person, asks a model beside the task, reports to somebody, or goes on after the turn. */
const OFF = [
  "ask_user_question",
  "auto_wake",
  "campaigns",
  "feedback",
  "session_recap",
  "telemetry",
  "title_refresh",
  "turn_summary",
  "web_fetch",
];

/** What it would read of other agents' settings. */
const FOREIGN = ["skills", "rules", "agents", "mcps", "hooks", "sessions"];

/** Switches that have no setting. */
const QUIET = {
  GROK_DISABLE_AUTOUPDATER: "1",
  GROK_MEMORY: "0",
  GROK_PROMPT_SUGGESTIONS: "0",
  GROK_TELEMETRY_ENABLED: "0",
  GROK_TELEMETRY_MIXPANEL_ENABLED: "0",
  GROK_TELEMETRY_TRACE_UPLOAD: "0",
  GROK_WORKFLOWS: "0",
};

/** How the process of a turn is told of its folder. */
export interface GrokTurn {
  args: string[];
  env: Record<string, string>;
}

/**
 * Make Grok Build's folder ready for a turn. Each session has one of its own, as branches of a run may work at once with other
 * settings, and as its rules hold whom the session is to be. The tree is none that Grok Build trusts: what the repository has of
 * settings, hooks, servers, skills and instructions for it is passed over.
 */
export function prepareGrok(request: AgentRequest, session: string | null): GrokTurn {
  const { configDir, lineage, systemPrompt } = request;
  const name = createHash("sha256").update(lineage).digest("hex").slice(0, 16);
  const home = (session !== null && homeOf(configDir, session)) || join(configDir, name);
  mkdirSync(join(home, "rules"), { recursive: true, mode: 0o700 });
  if (session === null && systemPrompt !== undefined) write(join(home, "rules", "longhaul.md"), systemPrompt);
  const env = grokEnvironment(process.env, request);
  write(join(home, "config.toml"), settings(env, request.model ?? MODEL));
  return { args: ["--no-auto-update", "agent", "--no-leader", "stdio"], env: { ...env, GROK_HOME: home } };
}

/**
 * It asks nobody but us, reports to nobody and updates nothing. Where the model's API answers with an error it tries no request again: told
 * of one more try it makes several, for a minute.
 */
function settings(env: Readonly<Record<string, string>>, model: string): string {
  return [
    "[cli]",
    "auto_update = false",
    "[models]",
    `default = ${text(model)}`,
    "max_retries = 0",
    "rate_limit_retry_threshold = 2",
    `[model.${text(model)}]`,
    `model = ${text(model)}`,
    `base_url = ${text(env.XAI_BASE_URL || XAI)}`,
    'api_backend = "responses"',
    'env_key = "XAI_API_KEY"',
    `context_window = ${CONTEXT}`,
    "[features]",
    ...OFF.map((feature) => `${feature} = false`),
    "[telemetry]",
    "trace_upload = false",
    "[memory]",
    "enabled = false",
    ...["claude", "cursor", "codex"].flatMap((name) => [`[compat.${name}]`, ...FOREIGN.map((what) => `${what} = false`)]),
    "",
  ].join("\n");
}

/** The whole environment of a Grok Build process, built from an allow-list. */
function grokEnvironment(own: NodeJS.ProcessEnv, { marks, env }: AgentRequest): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]));
  return { ...Object.fromEntries(inherited), ...env, ...QUIET, ...marks };
}

/** A string of TOML: JSON's, but for one character that TOML wants escaped. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}

/** Whole at every moment. */
function write(file: string, content: string): void {
  const part = `${file}.${process.pid}.part`;
  writeFileSync(part, content, { mode: 0o600 });
  renameSync(part, file);
}
