import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import type { AgentDeps } from "../activities/agent/index.js";
import { StepFailure } from "../activities/failure.js";
import { agentServer } from "../activities/tool/agent/index.js";
import { CONFIG_FILE } from "../activities/tool/config.js";
import { githubServer } from "../activities/tool/github/index.js";
import { type ListedServer, listTools } from "../activities/tool/list-tools.js";
import { readConfig } from "../config.js";
import { read } from "../definition/read.js";
import { type ToolCall, toolCallsIn } from "../definition/tool-calls.js";
import { toolProblems } from "../definition/tool-problems.js";
import type { FileProblem } from "./validate-file.js";

export interface CheckedTools {
  problems: FileProblem[];
  /** What could not be looked at, and what to do: a sentence each. */
  warnings: string[];
}

/** Until a server must have answered. */
const PATIENCE_MS = 20_000;

/**
 * Whether the calls of tools in definitions in YAML and JSON fit the servers of their project. The servers that they name are
 * started here, asked for their tools, and closed.
 *
 * @param paths files that compile, absolute.
 * @param root what files are named relative to, absolute.
 * @param project the folder whose `.agent/mcp.json` names the servers.
 */
export async function checkTools(paths: readonly string[], root: string, project: string): Promise<CheckedTools> {
  const files = await Promise.all(paths.map(async (path) => ({ file: relative(root, path), calls: await callsIn(path) })));
  const calls = files.flatMap(({ calls }) => calls);
  if (calls.length === 0) return { problems: [], warnings: [] };
  let servers: ListedServer[];
  try {
    servers = await listed(project, new Set(calls.map(({ server }) => server)));
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    return { problems: [{ file: relative(root, `${project}/${CONFIG_FILE}`), path: "", message: error.message }], warnings: [] };
  }
  return {
    problems: files.flatMap(({ file, calls }) => toolProblems(calls, servers).map((problem) => ({ file, ...problem }))),
    warnings: servers.flatMap(({ name, problem }) => (problem ? [unreached(name, problem.message)] : [])),
  };
}

async function callsIn(path: string): Promise<ToolCall[]> {
  const result = read(await readFile(path, "utf8"), path);
  return result.ok ? toolCallsIn(result.root) : [];
}

function listed(project: string, wanted: ReadonlySet<string>): Promise<ListedServer[]> {
  const { githubApiUrl: apiUrl, githubToken: token } = readConfig();
  const agent = {} as AgentDeps; // to describe its tools it needs none of what their work needs
  const builtIn = new Map([
    ["github", () => githubServer({ apiUrl, token })],
    ["agent", () => agentServer(agent)],
  ]);
  const place = { project_path: project, workspace_path: project };
  return listTools(place, { builtIn, startMs: PATIENCE_MS, graceMs: 1_000 }, wanted);
}

function unreached(name: string, why: string): string {
  return `The calls of the tool server "${name}" were not checked. ${why} Mend its entry in ${CONFIG_FILE}, or set here what it needs, and check again.`;
}
