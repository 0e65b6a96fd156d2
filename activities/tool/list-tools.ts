import { StepFailure } from "../failure.js";
import { ProjectServers, type ToolPlace } from "./config.js";
import { type FindOptions, findServer } from "./find-server.js";
import type { ToolInfo } from "./server.js";

/** A server as it can be reached now. */
export interface ListedServer {
  name: string;
  /** Longhaul's own. */
  builtIn: boolean;
  /** With the JSON schema of each one's params. Not there when there is a problem, or when it was not to be asked. */
  tools?: readonly ToolInfo[] | undefined;
  /** Why it cannot be reached: a type and a sentence, as a step would fail. */
  problem?: { type: string; message: string } | undefined;
}

/**
 * What tools a project's steps can call: every server of its `.agent/mcp.json`, and the built-in ones. Each is started, asked
 * and closed; one that cannot be reached is listed with its problem.
 *
 * @param place `workspace_path` may be the project's folder where there is no run.
 * @param wanted the servers to ask. Left out: all
 * @throws {StepFailure} `tool_config_invalid` when the file as a whole cannot be read.
 */
export async function listTools(place: ToolPlace, options: FindOptions, wanted?: ReadonlySet<string>): Promise<ListedServer[]> {
  const own = await ProjectServers.read(place);
  const names = new Set([...own.names, ...options.builtIn.keys()]);
  return Promise.all(
    [...names].map(async (name) => {
      if (wanted && !wanted.has(name)) return { name, builtIn: !own.has(name) };
      return listServer(name, place, own, options);
    }),
  );
}

async function listServer(name: string, place: ToolPlace, own: ProjectServers, options: FindOptions): Promise<ListedServer> {
  const listed = { name, builtIn: !own.has(name) };
  try {
    const server = await findServer(name, place, own, options).start();
    try {
      return { ...listed, tools: await server.tools() };
    } finally {
      await server.close();
    }
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    return { ...listed, problem: { type: error.type, message: error.message } };
  }
}
