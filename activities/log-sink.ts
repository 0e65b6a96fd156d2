import { setTimeout as sleep } from "node:timers/promises";
import type { LogChunk } from "../contract/log.js";
import type { Database } from "../db/database.js";
import { isUnavailable } from "../db/database.js";
import { appendLogChunks } from "../db/log-chunks.js";
import { appendRunFile } from "../db/run-folder.js";
import type { LogSink, RunFile } from "./log-stream.js";
import { marker } from "./output-window.js";

export interface LogSinkOptions {
  /** Characters held at most for each of the two places while it does not take any. @default 8388608 */
  maxChars?: number | undefined;
  /** Before Postgres is tried again. @default 1000 */
  retryMs?: number | undefined;
  warn?: ((message: string, error: unknown) => void) | undefined;
}

export interface LogWriter extends LogSink {
  /** Until all that was appended is written, or the time is over. @default 5000 */
  flush(ms?: number): Promise<void>;
}

interface Piece {
  chunk: LogChunk;
  file: RunFile | undefined;
  /** Of a line that stands for what was dropped: how much that was. */
  bytes?: number | undefined;
  /** Called when it is written, or never will be. */
  done?: (() => void) | undefined;
}

const BATCH = 500;

/**
 * Writes output to the step's `events.jsonl` in the run's folder, one chunk a line, and from there to Postgres, where
 * readers and live streams find it: what a killed worker leaves in one place only is in the file, and `keepMissingOutput`
 * finds it there. While one is away, output is held up to a limit; past it the oldest is dropped, and a line in the log
 * says how much.
 */
export function createLogSink(db: Database, options: LogSinkOptions = {}): LogWriter {
  const { maxChars = 8 * 1024 * 1024, retryMs = 1_000, warn = () => {} } = options;
  let unanswered: Piece[] | undefined;
  const rows = new Queue(maxChars, async (pieces) => {
    const chunks = pieces.map(({ chunk }) => chunk);
    try {
      await appendLogChunks(db, chunks, { again: unanswered === pieces });
    } catch (error) {
      if (isUnavailable(error)) {
        unanswered = pieces;
        return retryMs;
      }
      warn("A piece of a log could not be kept in Postgres.", error);
    }
    return 0;
  });
  const files = new Queue(maxChars, async (pieces) => {
    for (const [file, lines] of byFile(pieces)) {
      const write = appendRunFile(file.project_path, file.run_id, file.path, lines);
      await write.catch((error) =>
        warn(`The log file ${file.path} of run ${file.run_id} could not be written; what is missing is in Postgres.`, error),
      );
    }
    rows.push(pieces.map(({ chunk, file, bytes }) => ({ chunk, file, bytes })));
    return 0;
  });
  return {
    append(chunks, file) {
      return new Promise((done) => {
        const last = chunks.length - 1;
        if (last < 0) done();
        files.push(chunks.map((chunk, i) => ({ chunk, file, done: i === last ? done : undefined })));
      });
    },
    async flush(ms = 5_000) {
      const drained = files.drained().then(() => rows.drained());
      await Promise.race([drained, sleep(ms, undefined, { ref: false })]);
    },
  };
}

class Queue {
  private pieces: Piece[] = [];
  private chars = 0;
  private readonly dropped = new Map<string, { piece: Piece; bytes: number }>();
  private working: Promise<void> | undefined;

  constructor(
    private readonly maxChars: number,
    /** @returns milliseconds after which to try the same again; 0: done with. */
    private readonly write: (pieces: Piece[]) => Promise<number>,
  ) {}

  push(pieces: Piece[]): void {
    for (const piece of pieces) this.chars += piece.chunk.text.length;
    this.pieces.push(...pieces);
    while (this.chars > this.maxChars && this.pieces.length > 1) this.drop(this.pieces.shift()!);
    this.working ??= this.work();
  }

  async drained(): Promise<void> {
    await this.working;
  }

  private async work(): Promise<void> {
    await Promise.resolve(); // let what is appended together go out together
    while (this.pieces.length > 0) {
      const batch = [...this.markers(), ...this.pieces.splice(0, BATCH)];
      const chars = batch.reduce((sum, { chunk }) => sum + chunk.text.length, 0);
      this.chars -= chars;
      for (let wait = await this.write(batch); wait > 0; wait = await this.write(batch))
        await sleep(wait, undefined, { ref: false });
      for (const { done } of batch) done?.();
    }
    this.working = undefined;
  }

  private drop(piece: Piece): void {
    const { step_id, attempt, text } = piece.chunk;
    this.chars -= text.length;
    const key = `${step_id}:${attempt}`;
    const bytes = (this.dropped.get(key)?.bytes ?? 0) + (piece.bytes ?? Buffer.byteLength(text));
    this.dropped.set(key, { piece, bytes });
    piece.done?.();
  }

  private markers(): Piece[] {
    const markers = [...this.dropped.values()].map(({ piece, bytes }): Piece => {
      return { file: piece.file, bytes, chunk: { ...piece.chunk, stream: "log", level: "warn", text: marker(bytes) } };
    });
    this.dropped.clear();
    for (const { chunk } of markers) this.chars += chunk.text.length;
    return markers;
  }
}

function byFile(pieces: Piece[]): Map<RunFile & { run_id: string }, string> {
  const keys = new Map<string, RunFile & { run_id: string }>();
  const lines = new Map<RunFile & { run_id: string }, string>();
  for (const { chunk, file } of pieces) {
    if (!file) continue;
    const name = `${chunk.run_id}/${file.path}`;
    const key = keys.get(name) ?? { ...file, run_id: chunk.run_id };
    keys.set(name, key);
    lines.set(key, `${lines.get(key) ?? ""}${JSON.stringify(chunk)}\n`);
  }
  return lines;
}
