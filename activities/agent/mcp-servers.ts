import { didYouMean } from "../../definition/nearest.js";
import { baseOf } from "../environment.js";
import { StepFailure } from "../failure.js";
import { CONFIG_FILE, ProjectServers, type Reach, type ToolPlace } from "../tool/config.js";

import { findServer } from "../tool/find-server.js";

/** A server of the Model Context Protocol that an agent is given for a turn. */
export interface AgentMcpServer {
  name: string;
  reach: Reach;
  /** Those of its tools that it says change nothing. */
  readOnlyTools: readonly string[];
}

/**
 * The project's servers of these names. Each is started once, asked for its tools and closed, so that an agent does not begin without
 * what it needs; the agent then starts its own.
 *
 * @returns and the texts of their settings that nobody may read
 * @throws {StepFailure} `tool_unknown_server`, `tool_config_invalid`, `tool_server_failed`.
 */
export async function mcpServersOf(
  names: readonly string[],
  place: ToolPlace,
  signal: AbortSignal,
): Promise<{ servers: AgentMcpServer[]; secrets: string[] }> {
  if (names.length === 0) return { servers: [], secrets: [] };
  const own = await ProjectServers.read(place);
  const wanted = [...new Set(names)];
  for (const name of wanted) if (!own.has(name)) throw unknown(name, own.names);
  const settings = wanted.map((name) => own.settings(name));
  const servers = await Promise.all(
    settings.map(async ({ reach }, i) => {
      const name = wanted[i] ?? "";
      const server = await findServer(name, place, own, { builtIn: new Map() }).start(signal);
      try {
        const tools = await server.tools();
        return { name, reach, readOnlyTools: tools.filter(({ readOnly }) => readOnly).map((tool) => tool.name) };
      } finally {
        await server.close();
      }
    }),
  );
  return { servers, secrets: settings.flatMap(({ secrets }) => secrets) };
}

/** The whole environment of a server's process, as for a step that calls its tool; it ends with the turn whose marks it carries. */
export function environmentOf(
  { env }: Reach & { kind: "stdio" },
  marks: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...baseOf(process.env), ...env, ...marks };
}

/** Goes to the folder, and takes away all variables but those on the list. */
const ALONE = `cd "$1" || exit; kept=" $2 "; shift 2
exec env $(kept="$kept" awk 'BEGIN { for (name in ENVIRON) if (name ~ /^[A-Za-z_][A-Za-z0-9_]*$/ && !index(ENVIRON["kept"], " " name " ")) print "-u " name }') "$@"`;

/** The process of a server for an agent that would start it in its own folder, and with its own environment in addition. */
export function processOf(
  reach: Reach & { kind: "stdio" },
  marks: Readonly<Record<string, string>>,
): { command: string; args: string[]; env: Record<string, string> } {
  const env = environmentOf(reach, marks);
  const args = ["-c", ALONE, "sh", reach.cwd, Object.keys(env).join(" "), reach.command, ...reach.args];
  return { command: "/bin/sh", args, env };
}

function unknown(name: string, names: readonly string[]): StepFailure {
  const there = names.length === 0 ? "none" : names.join(", ");
  return new StepFailure(
    "tool_unknown_server",
    `There is no server "${name}" that an agent could be given.${didYouMean(name, names)} The project's ${CONFIG_FILE} names ${there}; those that are built in are for tool steps alone.`,
  );
}
