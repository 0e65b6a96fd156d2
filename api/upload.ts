import { createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { lstat, open, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Request, Response } from "express";
import multer, { MulterError, type StorageEngine } from "multer";
import { InvalidError } from "../contract/errors.js";
import { placeOf, runFolder } from "../db/run-folder.js";
import { HttpError } from "./problem.js";

/** Bytes of an uploaded file. */
export const UPLOAD_LIMIT = 104_857_600;
/** Bytes that a multipart body has besides its file, at most. */
const ENVELOPE = 1_048_576;

/** A file that came in, on disk under a temporary name in its run's folder. */
export interface Upload {
  temporary: string;
  name: string;
  mimeType: string;
  size: number;
  sha256: string;
  fields: Record<string, unknown>;
}

/**
 * Receive the one file of a multipart request, straight to disk. Whoever calls must move or remove `temporary`.
 * Nothing is left behind when the request is too large, wrong, or broken off.
 *
 * @throws {HttpError} 413 above 104,857,600 bytes, 415 when it is not multipart.
 * @throws {InvalidError} without a file in the field `file`.
 */
export async function receiveUpload(req: Request, res: Response, run: { id: string; project_path: string }): Promise<Upload> {
  if (!req.is("multipart/form-data"))
    throw new HttpError(415, "unsupported_media_type", "Send the file as `multipart/form-data`.");
  if (Number(req.headers["content-length"] ?? 0) > UPLOAD_LIMIT + ENVELOPE) throw tooLarge();

  const temporary = await placeOf(run.project_path, run.id, `artifacts/.upload-${process.pid}-${randomBytes(8).toString("hex")}`);
  try {
    const file = await receive(req, res, new HashedFile(temporary));
    if (!file) throw new InvalidError("There is no file.", [{ path: "file", message: "is needed" }]);
    return { ...file, temporary, fields: { ...req.body } };
  } catch (error) {
    await rm(temporary, { force: true });
    throw toHttpError(error);
  }
}

/** Remove what uploads that a crash broke off have left in a run's folder. */
export async function sweepUploads(projectPath: string, runId: string): Promise<void> {
  const folder = join(runFolder(projectPath, runId), "artifacts");
  for (const name of await readdir(folder).catch(() => [])) {
    const [, pid] = /^\.upload-(\d+)-[0-9a-f]{16}$/.exec(name) ?? [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    if ((await lstat(join(folder, name))).isFile()) await rm(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function receive(req: Request, res: Response, storage: HashedFile) {
  const single = multer({
    storage,
    limits: { fileSize: UPLOAD_LIMIT, files: 1, fields: 10, fieldSize: 65_536, fieldNameSize: 100, parts: 12 },
    // The name is judged as it came; cutting folders off would hide what was meant.
    preservePath: true,
    defParamCharset: "utf8",
  }).single("file");
  return new Promise<HashedFile["received"]>((resolve, reject) => {
    single(req, res, (error: unknown) => (error ? reject(error) : resolve(req.file ? storage.received : undefined)));
  });
}

/** Writes to one file, counting and hashing as it goes. */
class HashedFile implements StorageEngine {
  received: { name: string; mimeType: string; size: number; sha256: string } | undefined;

  constructor(private readonly path: string) {}

  _handleFile(
    _req: Request,
    file: Express.Multer.File,
    done: (error?: unknown, info?: Partial<Express.Multer.File>) => void,
  ): void {
    const hash = createHash("sha256");
    let size = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        size += chunk.length;
        hash.update(chunk);
        next(null, chunk);
      },
    });
    // A broken request destroys the stream that comes in; `pipeline` then closes the file, and the caller removes it.
    pipeline(file.stream, counted, createWriteStream(this.path, { flags: "wx", mode: 0o644 }))
      .then(() => sync(this.path))
      .then(() => {
        this.received = { name: file.originalname, mimeType: file.mimetype, size, sha256: hash.digest("hex") };
        done(null, { path: this.path, size });
      })
      .catch(done);
  }

  _removeFile(_req: Request, _file: Express.Multer.File, done: (error: Error | null) => void): void {
    rm(this.path, { force: true }).then(() => done(null), done);
  }
}

async function sync(path: string): Promise<void> {
  for (const place of [path, dirname(path)]) {
    const handle = await open(place, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

function toHttpError(error: unknown): unknown {
  if (error instanceof MulterError) {
    if (error.code === "LIMIT_FILE_SIZE") return tooLarge();
    const path = error.field ?? "";
    return new InvalidError(error.message, [{ path, message: error.message }]);
  }
  if (error instanceof Error && /^(Request (aborted|closed)|Multipart|Malformed|Unexpected end|Boundary)/i.test(error.message)) {
    return new HttpError(400, "malformed", "The upload is not whole.");
  }
  return error;
}

function tooLarge(): HttpError {
  return new HttpError(413, "too_large", `A file may have ${UPLOAD_LIMIT.toLocaleString("en")} bytes.`);
}
