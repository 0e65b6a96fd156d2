import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Connection } from "@temporalio/client";
import pg from "pg";
import { z } from "zod";
import { claudeBinary } from "../activities/agent/claude-binary.js";
import { CLAUDE_CREDENTIALS } from "../activities/agent/claude-environment.js";
import { CODEX } from "../activities/agent/codex-binary.js";
import { CODEX_CREDENTIALS } from "../activities/agent/codex-home.js";
import { GEMINI } from "../activities/agent/gemini-binary.js";
import { GEMINI_CREDENTIALS } from "../activities/agent/gemini-home.js";
import { GROK } from "../activities/agent/grok-binary.js";
import { GROK_CREDENTIALS } from "../activities/agent/grok-home.js";
import { findBinary, type UserBinary, versionOf, versionWarning } from "../activities/agent/user-binary.js";
import { apiUrl, type Config } from "../config.js";
import { lacksOf, type NamedAgent } from "../contract/agent-provider.js";
import { homeOwner } from "./home-lock.js";
import { requirePort } from "./ports.js";
import { installedBinaries } from "./postgres-binaries.js";
import { findTemporal } from "./temporal-binary.js";

/** What was looked at, and how it is. */
export interface Finding {
  what: string;
  /** `note`: nothing is broken, but something will not work, or is to come. */
  state: "ok" | "note" | "missing";
  /** A sentence; with what to do where it is not ok. */
  says: string;
}

/** Milliseconds that a server may take to answer. */
const PATIENCE = 5_000;
const OLDEST_NODE = [20, 19];
const OLDEST_POSTGRES = 150_000;
const CREDENTIALS = [...CLAUDE_CREDENTIALS, ...CODEX_CREDENTIALS, ...GEMINI_CREDENTIALS, ...GROK_CREDENTIALS];

const Ready = z.object({ detail: z.string().nullish() });
const Servers = z.object({
  mcpServers: z.record(z.string(), z.union([z.looseObject({ command: z.string() }), z.looseObject({ url: z.url() })])),
});

/** Looks at all that Longhaul needs on this machine, and changes nothing. @param project the folder whose settings are read. */
export async function examine(config: Config, project: string): Promise<Finding[]> {
  const running = homeOwner(config.home);
  return Promise.all([
    look("Node", node),
    look("git", () => version("git", "--version")),
    look("bash", () => version("bash", "--version")),
    look("home", () => home(config.home)),
    look("Temporal", () => temporal(config)),
    look("Postgres", () => postgres(config)),
    look("server", () => server(config, running)),
    look("Claude Code", () => claude(config), "note"),
    look("Codex", () => userAgent("codex", CODEX, config.codexBin), "note"),
    look("Gemini CLI", () => userAgent("gemini", GEMINI, config.geminiBin), "note"),
    look("Grok Build", () => userAgent("grok", GROK, config.grokBin), "note"),
    look("credentials", credentials),
    look("MCP servers", () => mcpServers(project)),
  ]);
}

type Look = Omit<Finding, "what">;

/** What goes wrong is what is found. */
async function look(what: string, at: () => Promise<Look> | Look, otherwise: Finding["state"] = "missing"): Promise<Finding> {
  try {
    return { what, ...(await at()) };
  } catch (error) {
    return { what, state: otherwise, says: error instanceof Error ? error.message : String(error) };
  }
}

const ok = (says: string): Look => ({ state: "ok", says });
const note = (says: string): Look => ({ state: "note", says });
const missing = (says: string): Look => ({ state: "missing", says });

function node(): Look {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [oldest = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= oldestMinor)) return ok(process.version);
  return missing(`is ${process.version}, and ${OLDEST_NODE.join(".")} or later is needed.`);
}

function version(program: string, flag: string): Look {
  try {
    return ok(execFileSync(program, [flag], { encoding: "utf8", timeout: PATIENCE }).split("\n")[0] ?? "");
  } catch {
    return missing(`\`${program}\` cannot be run. Install it, so that it is on PATH.`);
  }
}

function home(path: string): Look {
  let above = path;
  while (!existsSync(above)) above = dirname(above);
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
    return ok(above === path ? path : `${path}, made at the first start`);
  } catch {
    return missing(`${above} cannot be written. Set LONGHAUL_HOME to a folder that you can write to.`);
  }
}

async function temporal(config: Config): Promise<Look> {
  if (config.temporalAddress === undefined) {
    const binary = await findTemporal({ setting: config.temporalBin, cacheFolder: join(config.home, "bin") });
    return binary ? ok(binary) : note("is not here yet: the first start fetches it, once.");
  }
  const { temporalAddress: address, temporalNamespace: namespace, temporalApiKey: apiKey } = config;
  const access = {
    address,
    connectTimeout: PATIENCE,
    ...(config.temporalTls || apiKey ? { tls: true } : {}),
    ...(apiKey ? { apiKey } : {}),
  };
  try {
    const connection = await Connection.connect(access);
    await connection.withDeadline(Date.now() + PATIENCE, () => connection.workflowService.describeNamespace({ namespace }));
    await connection.close();
    return ok(`${address}, namespace ${namespace}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return missing(`TEMPORAL_ADDRESS is ${address}, namespace ${namespace}, and does not answer: ${why}`);
  }
}

async function postgres({ databaseUrl }: Config): Promise<Look> {
  if (databaseUrl === undefined) return ok(`${installedBinaries().version}, Longhaul's own`);
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: PATIENCE });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version_num: string }>("show server_version_num");
    const number = Number(rows[0]?.server_version_num ?? 0);
    const major = Math.floor(number / 10_000);
    return number >= OLDEST_POSTGRES
      ? ok(`${major}, of DATABASE_URL`)
      : missing(`of DATABASE_URL is ${major}, and 15 or later is needed.`);
  } catch (error) {
    return missing(`of DATABASE_URL does not answer: ${error instanceof Error ? error.message || error.name : error}`);
  } finally {
    await client.end().catch(() => {});
  }
}

async function server(config: Config, pid: number | undefined): Promise<Look> {
  const url = apiUrl(config);
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PATIENCE) }).catch(() => undefined);
  const who = pid === undefined ? url : `${url} (pid ${pid})`;
  if (answer?.ok) return ok(`${who}: Postgres, Temporal and a worker answer`);
  if (answer) {
    const said = Ready.safeParse(await answer.json().catch(() => undefined));
    return missing(
      `${who} is not ready: ${said.success && said.data.detail ? said.data.detail : `it answers with ${answer.status}.`}`,
    );
  }
  if (pid !== undefined)
    return missing(
      `Longhaul (pid ${pid}) has this home, and ${url} does not answer. Is it just starting? See ${config.home}/logs.`,
    );
  if (config.url === undefined) await requirePort(config.port, config.host, "LONGHAUL_PORT");
  return note(`does not run. \`longhaul start\` starts it on ${url}.`);
}

function claude({ claudeBin }: Config): Look {
  const binary = claudeBinary(claudeBin);
  return ok(`${execFileSync(binary, ["--version"], { encoding: "utf8", timeout: 30_000 }).trim()}, ${binary}`);
}

async function userAgent(name: NamedAgent, agent: UserBinary, configured: string | undefined): Promise<Look> {
  const binary = findBinary(agent, configured);
  const version = await versionOf(agent, binary);
  const warning = versionWarning(agent, version);
  const lacks = `It has no ${lacksOf(name).join(", ")}.`;
  return warning === null ? ok(`${version}, ${binary}. ${lacks}`) : note(`${binary}: ${warning} ${lacks}`);
}

function credentials(): Look {
  const found = CREDENTIALS.filter((name) => process.env[name]);
  if (found.length > 0) return ok(found.join(", "));
  return note(`for agents are not in this environment: set one of ${CREDENTIALS.join(", ")} where Longhaul is started.`);
}

function mcpServers(project: string): Look {
  const file = join(project, ".agent/mcp.json");
  if (!existsSync(file)) return ok("none configured");
  const fault = (why: string) => missing(`${file} ${why}`);
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    return fault(`is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const servers = Servers.safeParse(content);
  if (servers.success) return ok(Object.keys(servers.data.mcpServers).join(", ") || "none configured");
  const places = servers.error.issues.map(({ path }) => path.join(".") || "the file").join(", ");
  return fault(`is not right at ${places}: it is { "mcpServers": { name: { "command": … } or { "url": … } } }.`);
}
