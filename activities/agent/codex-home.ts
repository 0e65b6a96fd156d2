import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLAIN } from "../environment.js";
import { withSchema } from "./answer.js";
import { serversIn } from "./codex-mcp.js";
import { isStrict } from "./codex-schema.js";
import type { AgentRequest, Permission } from "./provider.js";
import { toml } from "./toml.js";

/** Nobody may read these in a log, transcript or row. */
export const CODEX_CREDENTIALS = ["OPENAI_API_KEY", "CODEX_API_KEY"] as const;

/** All that Codex may know of the worker's environment. */
const INHERITED = [...PLAIN, ...CODEX_CREDENTIALS, "OPENAI_BASE_URL"] as const;

const OPENAI = "https://api.openai.com/v1";

/** Codex's own sandbox for each permission. Nobody is there to be asked: what it does not allow fails. */
const SANDBOX: Readonly<Record<Permission, string>> = {
  default: "read-only",
  plan: "read-only",
  acceptEdits: "workspace-write",
  bypassPermissions: "danger-full-access",
};

/**
 * What works without a task of ours, asks a person, reaches other hosts or outlives the turn. A name that Codex does not know is
 * passed over by it.
 */
const OFF = [
  "api_key_model_discovery",
  "apps",
  "auth_elicitation",
  "browser_use",
  "browser_use_external",
  "computer_use",
  "daemon_auto_start",
  "goals",
  "hooks",
  "image_generation",
  "plugin_sharing",
  "plugins",
  "remote_plugin",
  "shell_snapshot",
  "skill_mcp_dependency_install",
  "skill_search",
  "tool_suggest",
  "unbounded_connection_retries",
  "workspace_dependencies",
];

/** Settings of every turn: it asks nobody, reports to nobody, updates nothing, and the repository's files do not configure it. */
const CONFIG = `approval_policy = "never"
allow_login_shell = false
check_for_update_on_startup = false
cli_auth_credentials_store = "file"
project_doc_max_bytes = 0
web_search = "disabled"

[analytics]
enabled = false

[feedback]
enabled = false

[otel]
exporter = "none"
trace_exporter = "none"
metrics_exporter = "none"

[history]
persistence = "none"

[skills]
include_instructions = false

[skills.bundled]
enabled = false

[shell_environment_policy]
inherit = "all"
ignore_default_excludes = true
exclude = ["OPENAI_API_KEY", "CODEX_API_KEY"]

[features]
${OFF.map((name) => `${name} = false`).join("\n")}
`;

/** One turn's files in Codex's folder, and how the process is told of them. */
export interface CodexTurn {
  args: string[];
  env: Record<string, string>;
  /** Take away what is of no use after the turn, and may have tokens of servers in it. */
  clear(): void;
}

/**
 * Make Codex's folder ready for a turn: the settings of all turns, and in a profile what is this turn's own, since branches of a
 * run share the folder. Neither prompt nor system prompt stands on the command line, where every user of the machine could read it.
 */
export function prepareCodex(request: AgentRequest, session: string | null): CodexTurn {
  const { configDir, lineage, permission, model, schema } = request;
  mkdirSync(configDir, { recursive: true, mode: 0o700 });
  const env = codexEnvironment(process.env, request);
  const name = `turn-${createHash("sha256").update(lineage).digest("hex").slice(0, 16)}`;
  write(join(configDir, "config.toml"), CONFIG);
  const profileFile = join(configDir, `${name}.config.toml`);
  write(profileFile, profile(env, request));
  const schemaFile = join(configDir, `${name}.schema.json`);
  const told = schema !== undefined && isStrict(schema);
  if (told) write(schemaFile, JSON.stringify(schema));

  const args = ["exec", "--json", "--color", "never", "--skip-git-repo-check", "--ignore-rules", "--profile", name];
  args.push("--cd", request.cwd, "--sandbox", SANDBOX[permission]);
  if (model !== undefined) args.push(`--model=${model}`);
  if (told) args.push("--output-schema", schemaFile);
  if (session !== null) args.push("resume", session);
  else if (request.resume !== undefined) args.push("fork", request.resume);
  return { args: [...args, "-"], env, clear: () => rmSync(profileFile, { force: true }) };
}

/** The prompt, with the schema of the answer where the API would refuse to be told it. */
export function promptWith(prompt: string, schema: Record<string, unknown> | undefined): string {
  return withSchema(prompt, schema === undefined || isStrict(schema) ? undefined : schema);
}

/** The session's transcript (JSON lines), or undefined before its first line. */
export function rolloutOf(configDir: string, sessionId: string): string | undefined {
  const sessions = join(configDir, "sessions");
  if (!existsSync(sessions)) return undefined;
  const found = readdirSync(sessions, { recursive: true, encoding: "utf8" }).find((path) => path.endsWith(`-${sessionId}.jsonl`));
  return found === undefined ? undefined : join(sessions, found);
}

/** The whole environment of a Codex process, built from an allow-list. */
function codexEnvironment(own: NodeJS.ProcessEnv, { configDir, marks, env }: AgentRequest): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]));
  const all: Record<string, string> = { ...Object.fromEntries(inherited), ...env, CODEX_HOME: configDir, ...marks };
  const key = env?.CODEX_API_KEY ?? env?.OPENAI_API_KEY ?? all.CODEX_API_KEY ?? all.OPENAI_API_KEY; // a step's own comes first
  return key === undefined ? all : { ...all, CODEX_API_KEY: key };
}

/** Where the model is, and what this turn's agent is told besides its own instructions. */
function profile(env: Readonly<Record<string, string>>, request: AgentRequest): string {
  const { systemPrompt } = request;
  const address = env.OPENAI_BASE_URL || OPENAI;
  return [
    ...(systemPrompt === undefined ? [] : [`developer_instructions = ${toml(systemPrompt)}`]),
    `model_provider = "longhaul"`,
    "[model_providers.longhaul]",
    `name = ${toml(address === OPENAI ? "OpenAI" : "compatible")}`, // by its name Codex believes it to have more than the Responses API
    `base_url = ${toml(address)}`,
    `wire_api = "responses"`,
    ...(env.CODEX_API_KEY === undefined ? [] : [`env_key = "CODEX_API_KEY"`]),
    "supports_websockets = false",
    "request_max_retries = 2",
    "stream_max_retries = 2",
    ...serversIn(request),
    "",
  ].join("\n");
}

/** Whole at every moment: branches of a run may write and read it at once. */
function write(file: string, content: string): void {
  if (existsSync(file) && readFileSync(file, "utf8") === content) return;
  const part = `${file}.${process.pid}.part`;
  writeFileSync(part, content, { mode: 0o600 });
  renameSync(part, file);
}
