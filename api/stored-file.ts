import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { runFolder } from "../db/run-folder.js";

/**
 * Open a file of a run's folder for reading. Null when it is not there, is no plain file, or lies outside: whatever
 * the row says and whatever links there are, nothing else is ever opened.
 *
 * @param path relative to the project.
 */
export async function openRunFile(projectPath: string, runId: string, path: string): Promise<FileHandle | null> {
  try {
    const folder = await realpath(runFolder(projectPath, runId));
    if (folder !== runFolder(await realpath(projectPath), runId)) return null;
    const file = await realpath(resolve(join(projectPath, path)));
    if (!file.startsWith(folder + sep)) return null;
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return null;
  } catch (error) {
    if (error instanceof Error && "code" in error && /^(ENOENT|ENOTDIR|ELOOP|EACCES|ENXIO)$/.test(String(error.code)))
      return null;
    throw error;
  }
}

/** The first `limit` bytes of a file of a run's folder as text; null without the file. */
export async function readRunText(
  projectPath: string,
  runId: string,
  { path, limit }: { path: string; limit: number },
): Promise<{ text: string; truncated: boolean } | null> {
  const handle = await openRunFile(projectPath, runId, path);
  if (!handle) return null;
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, limit));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return { text: bytes.subarray(0, bytesRead).toString("utf8"), truncated: size > limit };
  } finally {
    await handle.close();
  }
}

/** sha256 of an open file, in hex; reading begins at its first byte and moves no position. */
export async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(262_144);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
