import { closeSync, fdatasync, fsync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** How long what was written may wait for the disk, in milliseconds: what steps write meanwhile goes there with one sync. */
const SYNC_MS = 50;

/**
 * A file that only grows. A line that was appended is in the system's hands: the death of this process does not touch it. It is on the disk,
 * safe from a loss of power, a moment later.
 */
export class JournalFile {
  private descriptor: number | undefined;
  private torn = false;
  private due: NodeJS.Timeout | undefined;
  private syncing: Promise<void> = Promise.resolve();
  private failure: unknown;
  /** Bytes that were appended. */
  size = 0;

  constructor(private readonly path: string) {}

  /**
   * @throws the system's error when the line could not be written, or when what was written before it did not get to the disk.
   */
  append(line: string): void {
    this.throwFailure();
    // What a failed write may have left of a line is ended, so that it spoils nothing after it.
    const text = Buffer.from(`${this.torn ? "\n" : ""}${line}\n`);
    this.descriptor ??= openNew(this.path);
    this.torn = true;
    for (let at = 0; at < text.length; ) at += writeSync(this.descriptor, text, at);
    this.torn = false;
    this.size += text.length;
    this.due ??= setTimeout(() => this.sync(), SYNC_MS);
  }

  /** Resolves when all of it is on the disk. */
  async close(): Promise<void> {
    if (this.due) this.sync();
    await this.syncing;
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private sync(): void {
    clearTimeout(this.due);
    this.due = undefined;
    const { descriptor } = this;
    if (descriptor === undefined) return;
    this.syncing = this.syncing
      .then(() => promisify(fdatasync)(descriptor))
      .catch((error: unknown) => {
        this.failure = error;
      });
  }

  private throwFailure(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }
}

/** A new file is found again after a loss of power only when its folder was written, too. */
function openNew(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const descriptor = openSync(path, "a", 0o600);
  const folder = openSync(dirname(path), "r");
  fsync(folder, () => closeSync(folder)); // a folder that cannot be synced is the file system's way, and no reason not to work
  return descriptor;
}
