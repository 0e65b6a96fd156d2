import type { LogLine } from "../contract/log.js";
import type { StepBrief } from "../contract/step.js";
import type { LiveEvent } from "../sdk/client.js";
import { type Format, paint, print, withoutControls } from "./output.js";

/** Prints pieces of a log: for people by lines, each with its time and step; else one piece of JSON a line. */
export class LogPrinter {
  private readonly names: Map<string, string>;
  /** What came of a line that has not ended, by step and stream. */
  private readonly open = new Map<string, LogLine>();

  constructor(
    steps: readonly StepBrief[],
    private readonly format: Format,
  ) {
    this.names = new Map(steps.map(({ id, name }) => [id, name]));
  }

  /** Learns the name of a step that begins. */
  learn({ data }: LiveEvent): void {
    if (typeof data.step_id === "string" && typeof data.step_name === "string") this.names.set(data.step_id, data.step_name);
  }

  print(piece: LogLine): void {
    if (this.format === "json") {
      print(JSON.stringify(piece));
      return;
    }
    const key = `${piece.step_id} ${piece.attempt} ${piece.stream}`;
    const before = this.open.get(key);
    const lines = ((before?.text ?? "") + piece.text + (piece.stream === "log" ? "\n" : "")).split("\n");
    const rest = lines.pop() ?? "";
    for (const text of lines) this.line({ ...piece, text });
    if (rest === "") this.open.delete(key);
    else this.open.set(key, { ...piece, text: rest });
  }

  /** Prints what has no end of line. */
  end(): void {
    for (const piece of this.open.values()) this.line(piece);
    this.open.clear();
  }

  private line({ at, step_id, level, text }: LogLine): void {
    const time = new Date(at).toTimeString().slice(0, 8);
    const whose = step_id === null ? "run" : withoutControls(this.names.get(step_id) ?? step_id);
    const body = withoutControls(text);
    const loud = level === "warn" ? paint("yellow", body) : level === "error" || level === "fatal" ? paint("red", body) : body;
    print(`${paint("gray", `${time} ${whose} │`)} ${loud}`.trimEnd());
  }
}
