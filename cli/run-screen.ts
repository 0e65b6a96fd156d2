import { z } from "zod";
import { StepStatus } from "../contract/step.js";
import type { LiveEvent } from "../sdk/client.js";
import { paint, statusStyle, withoutControls } from "./output.js";
import { duration } from "./times.js";

const Data = z.looseObject({
  step_id: z.string().nullish(),
  step_name: z.string().nullish(),
  phase: z.string().nullish(),
  status: z.string().nullish(),
  error: z.looseObject({ message: z.string() }).nullish(),
});

const MARKS: Record<string, string> = { completed: "✔", failed: "✘", skipped: "–", cancelled: "■" };

/** Shows a run as lines of a terminal: each step, its output below it, and how it ended. */
export class RunScreen {
  private readonly names = new Map<string, string>();
  private readonly begun = new Map<string, number>();
  /** Output of which the line's end has not come yet, by step. */
  private readonly open = new Map<string, string>();

  /** @param print told each line. */
  constructor(private readonly print: (line: string) => void) {}

  /** Shows what happened to a step; all other events are left out. */
  show({ type, at, data }: Pick<LiveEvent, "type" | "at" | "data">): void {
    const { step_id, step_name, phase, status, error } = Data.parse(data);
    const step = step_id ?? "";
    switch (type) {
      case "workflow.step.started":
        this.names.set(step, withoutControls(step_name ?? step));
        this.begun.set(step, Date.parse(at));
        this.print(`${paint("cyan", "▶")} ${paint("bold", this.nameOf(step))}${phase ? paint("gray", `  ${phase}`) : ""}`);
        return;
      case "workflow.step.retrying":
        this.finishLine(step);
        this.print(`  ${paint("yellow", `↻ again: ${withoutControls(error?.message ?? "it failed")}`)}`);
        return;
      case "workflow.step.completed": {
        this.finishLine(step);
        const ended = StepStatus.catch("completed").parse(status);
        const took = this.begun.has(step) ? duration(Date.parse(at) - (this.begun.get(step) ?? 0)) : "";
        this.begun.delete(step);
        this.print(
          `${paint(statusStyle(ended), `${MARKS[ended] ?? "·"} ${this.nameOf(step)}`)} ${paint("gray", took)}`.trimEnd(),
        );
        return;
      }
    }
  }

  /** A piece of a step's output; shown by whole lines. */
  output(step: string, text: string): void {
    const lines = ((this.open.get(step) ?? "") + text).split("\n");
    this.open.set(step, lines.pop() ?? "");
    for (const line of lines) this.line(step, line);
  }

  /** Something said about the run. */
  comment(text: string): void {
    for (const line of text.split("\n")) this.print(`  ${paint("magenta", "“")} ${withoutControls(line)}`);
  }

  /** A word about the run itself. */
  note(text: string): void {
    this.print(paint("yellow", withoutControls(text)));
  }

  private nameOf(step: string): string {
    return this.names.get(step) ?? step;
  }

  private finishLine(step: string): void {
    const rest = this.open.get(step) ?? "";
    this.open.delete(step);
    if (rest !== "") this.line(step, rest);
  }

  /** With several steps under way, a line says whose it is. */
  private line(step: string, text: string): void {
    const whose = this.begun.size > 1 ? `${this.nameOf(step)} ` : "";
    this.print(`  ${paint("gray", `${whose}│`)} ${withoutControls(text)}`.trimEnd());
  }
}
