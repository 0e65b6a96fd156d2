import { createWriteStream, openSync, renameSync, statSync, type WriteStream } from "node:fs";

/** A log grows to this size; then it becomes `<name>.1`, in place of the one before. */
const MAX_BYTES = 20 * 1024 * 1024;

/** Opens the log of a server that writes by itself, for adding to. The caller closes the descriptor once it is handed on. */
export function startLog(file: string): number {
  if (sizeOf(file) > MAX_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}

/** A log that we write for a child, kept within twice `MAX_BYTES` however long it runs. */
export class LogFile {
  private stream: WriteStream;
  private size: number;

  constructor(private readonly file: string) {
    this.size = sizeOf(file);
    this.stream = this.open();
  }

  write(chunk: Buffer | string): void {
    if (this.size > MAX_BYTES) {
      this.stream.end();
      renameSync(this.file, `${this.file}.1`);
      this.stream = this.open();
      this.size = 0;
    }
    this.size += chunk.length;
    this.stream.write(chunk);
  }

  end(): Promise<void> {
    return new Promise((resolve) => this.stream.end(resolve));
  }

  private open(): WriteStream {
    // A full disk must not end the supervisor: the log has a hole then.
    return createWriteStream(this.file, { flags: "a", mode: 0o600 }).on("error", () => {});
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
