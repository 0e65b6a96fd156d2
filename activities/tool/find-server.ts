import { createHash } from "node:crypto";
import { didYouMean } from "../../definition/nearest.js";
import { StepFailure } from "../failure.js";
import { CONFIG_FILE, type ProjectServers, type ToolPlace } from "./config.js";
import type { ServerSpec, ToolServer } from "./server.js";

export interface FindOptions {
  /** Servers without a process, by name. A project's own of the same name comes first. */
  builtIn: ReadonlyMap<string, () => ToolServer>;
  /** Milliseconds until a server must have answered first. @default 60000 */
  startMs?: number | undefined;
  /** Between SIGTERM and SIGKILL, in milliseconds. @default 5000 */
  graceMs?: number | undefined;
  /** Milliseconds a server may be silent that is asked whether it is there. @default 10000 */
  patienceMs?: number | undefined;
}

/**
 * How the server of this name is reached from here. Those who find the same key share it: the same project, name and settings.
 *
 * @throws {StepFailure} `tool_unknown_server`, `tool_config_invalid`.
 */
export function findServer(name: string, place: ToolPlace, own: ProjectServers, options: FindOptions): ServerSpec {
  if (own.has(name)) return ownServer(name, place, own, options);
  const builtIn = options.builtIn.get(name);
  if (builtIn) return { name, key: `built in: ${name}`, secrets: [], usesTree: false, start: async () => builtIn() };

  const names = [...own.names, ...options.builtIn.keys()];
  throw new StepFailure(
    "tool_unknown_server",
    `There is no tool server "${name}".${didYouMean(name, names)} The project's ${CONFIG_FILE} names ${listed(own.names)}; built in are ${listed([...options.builtIn.keys()])}.`,
  );
}

function ownServer(
  name: string,
  place: ToolPlace,
  own: ProjectServers,
  { startMs = 60_000, graceMs = 5_000, patienceMs = 10_000 }: FindOptions,
): ServerSpec {
  const { reach, secrets, usesTree } = own.settings(name);
  const hash = createHash("sha256").update(JSON.stringify(reach)).digest("hex");
  return {
    name,
    key: JSON.stringify([place.project_path, name, hash]),
    secrets,
    usesTree,
    async start(stop) {
      const { McpServer } = await import("./mcp-server.js"); // the SDK is loaded by the first who needs it
      return McpServer.start({ name, reach, startMs, graceMs, patienceMs, stop });
    },
  };
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
