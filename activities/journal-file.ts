import { constants, mkdirSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * A file that only grows. Lines that are appended while the disk is busy go out together, so that
 * many parallel steps share one write. What is written is on the disk when the call returns.
 */
export class JournalFile {
  private handle: FileHandle | undefined;
  private waiting: { line: string; done: () => void; failed: (error: unknown) => void }[] = [];
  private writing: Promise<void> | undefined;
  private torn = false;
  /** Bytes that were appended, on the disk or on their way. */
  size = 0;

  constructor(private readonly path: string) {}

  /** Resolves when the line is on the disk. */
  append(line: string): Promise<void> {
    this.size += Buffer.byteLength(line) + 1;
    return new Promise<void>((done, failed) => {
      this.waiting.push({ line, done, failed });
      this.writing ??= this.write();
    });
  }

  async close(): Promise<void> {
    await this.writing;
    const handle = this.handle;
    this.handle = undefined;
    await handle?.close();
  }

  private async write(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      try {
        this.handle ??= await openDurably(this.path);
        // What a failed write may have left of a line is ended, so that it spoils nothing after it.
        const text = (this.torn ? "\n" : "") + batch.map(({ line }) => `${line}\n`).join("");
        await this.handle.appendFile(text);
        this.torn = false;
        for (const { done } of batch) done();
      } catch (error) {
        this.torn = true;
        for (const { failed } of batch) failed(error);
      }
    }
    this.writing = undefined;
  }
}

const { O_APPEND, O_CREAT, O_DSYNC, O_WRONLY } = constants;

/** A new file is found again after a power cut only when its folder was written, too. */
async function openDurably(path: string): Promise<FileHandle> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_DSYNC, 0o600);
  try {
    const folder = await open(dirname(path), "r");
    await folder.sync().finally(() => folder.close());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
