import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { promisify } from "node:util";
import { isProgram } from "../is-program.js";
import { AgentNotInstalledError } from "./provider.js";

const run = promisify(execFile);

/** An agent that people install themselves. */
export interface UserBinary {
  title: string;
  /** What it is called on PATH. */
  program: string;
  /** The setting that names another one. */
  setting: string;
  /** The npm package. */
  package: string;
  /** The version that Longhaul was tested with, without its last number. */
  tested: string;
}

const PATIENCE_MS = 30_000;

/** What was learned of binaries, by path and time of change: to ask costs 50 ms and more. */
const versions = new Map<string, string>();

/**
 * The one that was set, else the first on PATH.
 *
 * @throws {AgentNotInstalledError}
 */
export function findBinary(agent: UserBinary, configured?: string, path?: string): string {
  if (configured !== undefined) {
    if (isProgram(configured)) return resolve(configured); // it is started in the tree, which may have a file of that name
    throw new AgentNotInstalledError(`${agent.setting} is ${configured}, and there is no such program.`);
  }
  const found = onPath(agent.program, path);
  if (found !== undefined) return found;
  throw new AgentNotInstalledError(
    `${agent.title} is not installed: there is no ${agent.program} on PATH. Install it with ` +
      `\`npm install --global ${agent.package}@${agent.tested}\`, or set ${agent.setting} to a ${agent.program} binary.`,
  );
}

/** The first program of that name in the absolute folders of PATH. */
export function onPath(program: string, path = process.env.PATH ?? ""): string | undefined {
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  return folders.map((folder) => join(folder, program)).find(isProgram);
}

/**
 * Its version, such as "0.169.0".
 *
 * @throws {AgentNotInstalledError} when it does not tell it: it is something else, or cannot run here.
 */
export async function versionOf(agent: UserBinary, binary: string): Promise<string> {
  const key = `${binary}\0${statSync(binary).mtimeMs}`;
  const known = versions.get(key);
  if (known !== undefined) return known;
  const said = await run(binary, ["--version"], { timeout: PATIENCE_MS }).catch((cause: unknown) => {
    throw new AgentNotInstalledError(`${binary} does not tell its version. Install ${agent.title} ${agent.tested} again.`, {
      cause,
    });
  });
  const version = /\d+\.\d+\.\d+\S*/.exec(said.stdout)?.[0];
  if (version === undefined) {
    throw new AgentNotInstalledError(`${binary} is not ${agent.title}: it calls itself ${said.stdout.trim()}.`);
  }
  versions.set(key, version);
  return version;
}

/** A sentence when Longhaul was not tested with this version; null when it was. */
export function versionWarning({ title, tested }: UserBinary, version: string): string | null {
  if (version.startsWith(`${tested}.`)) return null;
  return `${title} ${version} is another version than Longhaul was tested with (${tested}); it may say things that are not understood.`;
}
