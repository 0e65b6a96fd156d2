import { StringDecoder } from "node:string_decoder";
import type { LogChunk, LogLevel } from "../contract/log.js";
import { cutAt, marker } from "./output-window.js";
import { type MaskedPieces, NO_MASK, type SecretMask } from "./secret-mask.js";

/** Where a step's output goes. It never fails, and never makes the command wait. */
export interface LogSink {
  /**
   * Resolves when the chunks are in the file, or could not be written there.
   *
   * @param file the step's `events.jsonl`, when there is one.
   */
  append(chunks: LogChunk[], file?: RunFile): Promise<void>;
}

/** A file in a run's folder. */
export interface RunFile {
  project_path: string;
  /** Relative to the run's folder. */
  path: string;
}

export type OutputStream = LogChunk["stream"];

/** Whose output it is. */
export interface LogPlace {
  run_id: string;
  step_id: string;
  attempt: number;
  file?: RunFile | undefined;
}

const BATCH_MS = 100;
const BATCH_CHARS = 32 * 1024;
/** Of one operation, all streams together: what is written at once, and what is kept for the end. */
const HEAD_CHARS = 512 * 1024;
const TAIL_CHARS = 128 * 1024;
const OFFSETS_KEPT = 10_000;

/** Where the next piece of each step and attempt begins: several operations of one step write in a row. */
const offsets = new Map<string, number>();

/**
 * One operation's output on its way to the log, in bounded memory: the first 512 K characters go out in batches of at
 * most 100 ms or 32 K; of the rest the last 128 K are written at the end, after a line that says how much was left out.
 */
export class LogStream {
  private readonly decoders = new Map<OutputStream, StringDecoder>();
  private readonly masked = new Map<OutputStream, MaskedPieces>();
  private mask = NO_MASK;
  private batch: { stream: OutputStream; level: LogLevel; text: string }[] = [];
  private batchChars = 0;
  private timer: NodeJS.Timeout | undefined;
  private headLeft = HEAD_CHARS;
  private tail: { stream: OutputStream; level: LogLevel; text: string }[] = [];
  private tailChars = 0;
  private omittedBytes = 0;
  /** Of the last chunks; those before them are written earlier. */
  private written: Promise<void> | undefined;

  constructor(
    private readonly sink: LogSink,
    private readonly place: LogPlace,
  ) {}

  /** From now on secrets are hidden, also those that are cut by the borders of pieces. To be said before anything is written. */
  hide(mask: SecretMask): void {
    this.mask = mask;
  }

  /** Bytes are decoded as UTF-8 across pieces; what is none of it shows as U+FFFD. */
  write(stream: OutputStream, data: Buffer | string, level: LogLevel = stream === "stderr" ? "warn" : "info"): void {
    const text = typeof data === "string" ? data : this.decoder(stream).write(data);
    this.take(stream, this.pieces(stream).push(text), level);
  }

  /**
   * Write what is left. Nothing may be written afterwards.
   *
   * @returns when all output is in its file; undefined when there was none.
   */
  end(): Promise<void> | undefined {
    for (const [stream, decoder] of this.decoders) this.write(stream, decoder.end());
    for (const [stream, pieces] of this.masked) this.take(stream, pieces.end(), stream === "stderr" ? "warn" : "info");
    if (this.omittedBytes > 0) this.put("log", marker(this.omittedBytes), "warn");
    for (const { stream, text, level } of this.tail) this.put(stream, text, level);
    this.tail = [];
    this.flush();
    return this.written;
  }

  private decoder(stream: OutputStream): StringDecoder {
    const decoder = this.decoders.get(stream) ?? new StringDecoder("utf8");
    this.decoders.set(stream, decoder);
    return decoder;
  }

  private pieces(stream: OutputStream): MaskedPieces {
    const pieces = this.masked.get(stream) ?? this.mask.pieces();
    this.masked.set(stream, pieces);
    return pieces;
  }

  private take(stream: OutputStream, text: string, level: LogLevel): void {
    const room = cutAt(text, Math.min(text.length, this.headLeft));
    this.headLeft -= room;
    this.put(stream, text.slice(0, room), level);
    if (room === text.length) return;

    this.headLeft = 0;
    this.tail.push({ stream, level, text: text.slice(room) });
    this.tailChars += text.length - room;
    while (this.tail.length > 1 && this.tailChars - this.tail[0]!.text.length >= TAIL_CHARS) {
      const { text: omitted } = this.tail.shift()!;
      this.tailChars -= omitted.length;
      this.omittedBytes += Buffer.byteLength(omitted);
    }
  }

  private put(stream: OutputStream, text: string, level: LogLevel): void {
    if (text === "") return;
    const last = this.batch.at(-1);
    if (last?.stream === stream && last.level === level) last.text += text;
    else this.batch.push({ stream, level, text });
    this.batchChars += text.length;
    if (this.batchChars >= BATCH_CHARS) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), BATCH_MS).unref();
  }

  /** Write now what there is so far. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.batch.length === 0) return;
    const { run_id, step_id, attempt, file } = this.place;
    const at = new Date().toISOString();
    const chunks = this.batch.map(
      (piece): LogChunk => ({ run_id, step_id, attempt, at, offset: this.advance(piece.text.length), ...piece }),
    );
    this.batch = [];
    this.batchChars = 0;
    this.written = this.sink.append(chunks, file);
  }

  private advance(chars: number): number {
    const key = `${this.place.step_id}:${this.place.attempt}`;
    const offset = offsets.get(key) ?? 0;
    offsets.delete(key);
    offsets.set(key, offset + chars);
    if (offsets.size > OFFSETS_KEPT) offsets.delete(offsets.keys().next().value ?? key);
    return offset;
  }
}
