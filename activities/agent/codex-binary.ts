import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { promisify } from "node:util";
import { isProgram } from "../is-program.js";
import { AgentNotInstalledError } from "./provider.js";

const run = promisify(execFile);

/** The versions that Longhaul was tested with: this one, whatever its last number. */
const TESTED = "0.169";
const PATIENCE_MS = 30_000;

/** What was learned of binaries, by path and time of change: to ask costs 50 ms and more. */
const versions = new Map<string, string>();

/**
 * The user's own `codex` binary: the one that was set, else the first on PATH.
 *
 * @throws {AgentNotInstalledError}
 */
export function codexBinary(configured?: string, path = process.env.PATH ?? ""): string {
  if (configured !== undefined) {
    if (isProgram(configured)) return resolve(configured); // it is started in the tree, which may have a file of that name
    throw new AgentNotInstalledError(`LONGHAUL_CODEX_BIN is ${configured}, and there is no such program.`);
  }
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  const found = folders.map((folder) => join(folder, "codex")).find(isProgram);
  if (found !== undefined) return found;
  throw new AgentNotInstalledError(
    `Codex is not installed: there is no codex on PATH. Install it with \`npm install --global @openai/codex@${TESTED}\`, ` +
      "or set LONGHAUL_CODEX_BIN to a codex binary.",
  );
}

/**
 * Its version, such as "0.169.0".
 *
 * @throws {AgentNotInstalledError} when it does not tell it: it is something else, or cannot run here.
 */
export async function codexVersion(binary: string): Promise<string> {
  const key = `${binary}\0${statSync(binary).mtimeMs}`;
  const known = versions.get(key);
  if (known !== undefined) return known;
  const said = await run(binary, ["--version"], { timeout: PATIENCE_MS }).catch((cause: unknown) => {
    throw new AgentNotInstalledError(`${binary} does not tell its version. Install Codex ${TESTED} again.`, { cause });
  });
  const version = /\d+\.\d+\.\d+\S*/.exec(said.stdout)?.[0];
  if (version === undefined) throw new AgentNotInstalledError(`${binary} is not Codex: it calls itself ${said.stdout.trim()}.`);
  versions.set(key, version);
  return version;
}

/** A sentence when Longhaul was not tested with this version; null when it was. */
export function versionWarning(version: string): string | null {
  if (version.startsWith(`${TESTED}.`)) return null;
  return `Codex ${version} is another version than Longhaul was tested with (${TESTED}); it may say things that are not understood.`;
}
