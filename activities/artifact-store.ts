import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, open, rm } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import type { ArtifactRow, ArtifactType, FileType } from "../contract/artifact.js";
import type { Json } from "../contract/json.js";
import { placeOf, runFolderPath, stepFolderName, temporaryBeside } from "../db/run-folder.js";
import { faultPoint } from "../fault.js";
import { kindOf } from "./artifact-kind.js";
import { StepFailure } from "./failure.js";
import { storageFailure } from "./storage-failure.js";

export interface ArtifactToStore {
  /** One file name, without folders. */
  name: string;
  /** The step it belongs to; null: the run as a whole. */
  step: { id: string; number: number; key: string } | null;
  /** The bytes themselves, or the absolute path of a file to copy. */
  source: { content: string | Uint8Array } | { file: string };
  /** @default made of step and name, so that the same name of the same step gets the same id again */
  id?: string | undefined;
  type?: ArtifactType | undefined;
  file_type?: FileType | undefined;
  mime_type?: string | undefined;
  metadata?: Json | undefined;
  agent_session_id?: string | undefined;
}

/** How many versions a name may have. */
const VERSIONS = 10_000;
const PIECE = 1024 * 1024;

/**
 * Keep a file with its run, in `artifacts/<step's folder>/<name>` of the run folder (`artifacts/execution/` without a step). It is
 * there as a whole or not at all, also after a crash. The same name with the same bytes is the same artifact again; with other bytes
 * it is the next version, in a file of its own (`report@2.txt`).
 *
 * @throws {StepFailure} `invalid_name`; `file_missing`; `storage_failed`.
 */
export async function storeArtifact(
  run: { run_id: string; project_path: string },
  wanted: ArtifactToStore,
): Promise<ArtifactRow> {
  const { name, step, source } = wanted;
  const wrong = artifactNameProblem(name);
  if (wrong)
    throw new StepFailure("invalid_name", `${JSON.stringify(name).slice(0, 200)} cannot be the name of an artifact: ${wrong}.`);

  const folder = `artifacts/${step ? stepFolderName(step) : "execution"}`;
  const first = await placeOf(run.project_path, run.run_id, `${folder}/${name}`).catch((error: unknown) => {
    throw storageFailure(error, name);
  });
  const temporary = temporaryBeside(first);
  try {
    const { sha256, size_bytes } = await writeWhole(temporary, source);
    faultPoint("artifact:written", name);
    for (let version = 1; version <= VERSIONS; version++) {
      const file = versionedName(name, version);
      const place = join(dirname(first), file);
      if (!(await putInPlace(temporary, place)) && (await hashOf(place)) !== sha256) continue;
      return {
        id: wanted.id ?? artifactId(run.run_id, step, name, version),
        run_id: run.run_id,
        step_id: step?.id ?? null,
        agent_session_id: wanted.agent_session_id ?? null,
        name,
        file_path: `${runFolderPath(run.run_id)}/${folder}/${file}`,
        ...kindOf(name, wanted),
        size_bytes,
        sha256,
        version,
        metadata: wanted.metadata ?? {},
      };
    }
    throw new StepFailure("invalid_name", `The artifact ${name} has ${VERSIONS} versions already. Use another name.`);
  } catch (error) {
    throw storageFailure(error, name);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Why this cannot be an artifact's name, in a few words; null when it can. */
export function artifactNameProblem(name: string): string | null {
  if (name === "") return "it is empty";
  if (Buffer.byteLength(name) > 200) return "it is longer than 200 bytes";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\x00-\x1f\x7f]/.test(name) || /\p{Surrogate}/u.test(name)) return "it holds characters that are no text";
  if (/[/\\]/.test(name) || /%(2f|5c|2e|00)/i.test(name)) return "it is one file's name, without folders";
  if (/^[. ]|[. ]$/.test(name)) return "it begins or ends with a dot or a blank";
  if (/[<>:"|?*]/.test(name)) return 'it holds one of < > : " | ? *';
  if (/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name)) return "some systems keep it for a device";
  if (/@\d+(\.[^.]*)?$/.test(name)) return "@ and a number stand for a version";
  return null;
}

function artifactId(runId: string, step: { id: string } | null, name: string, version: number): string {
  const word = createHash("sha256").update(name).digest("hex").slice(0, 10);
  return `${step?.id ?? runId}-a${word}${version > 1 ? `-${version}` : ""}`;
}

function versionedName(name: string, version: number): string {
  if (version === 1) return name;
  const end = extname(name);
  return `${name.slice(0, name.length - end.length)}@${version}${end}`;
}

async function writeWhole(place: string, source: ArtifactToStore["source"]): Promise<{ sha256: string; size_bytes: number }> {
  const hash = createHash("sha256");
  let size_bytes = 0;
  const target = await open(place, "wx");
  try {
    for await (const piece of piecesOf(source)) {
      hash.update(piece);
      size_bytes += piece.length;
      await target.writeFile(piece);
    }
    await target.sync();
  } finally {
    await target.close();
  }
  return { sha256: hash.digest("hex"), size_bytes };
}

async function* piecesOf(source: ArtifactToStore["source"]): AsyncGenerator<Uint8Array> {
  if ("content" in source) {
    yield typeof source.content === "string" ? Buffer.from(source.content) : source.content;
    return;
  }
  const handle = await openFile(source.file);
  try {
    if (!(await handle.stat()).isFile()) throw new StepFailure("file_missing", `${source.file} is no file.`);
    const buffer = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, PIECE, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function openFile(file: string): Promise<FileHandle> {
  return open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    throw new StepFailure("file_missing", `${file} cannot be read.`, undefined, { cause: error });
  });
}

/** Whether the file now has this name: an earlier one of the name stays as it is. */
async function putInPlace(temporary: string, place: string): Promise<boolean> {
  try {
    await link(temporary, place);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
  const folder = await open(dirname(place), constants.O_RDONLY);
  await folder.sync().finally(() => folder.close());
  return true;
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of piecesOf({ file })) hash.update(piece);
  return hash.digest("hex");
}
