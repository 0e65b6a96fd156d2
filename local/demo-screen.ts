import { z } from "zod";

const Data = z.looseObject({
  step_id: z.string().nullish(),
  step_name: z.string().nullish(),
  phase: z.string().nullish(),
  status: z.string().nullish(),
  output: z.string().nullish(),
  comment_id: z.string().nullish(),
  error: z.looseObject({ message: z.string() }).nullish(),
});

/** An event of a run's stream, as much of it as is shown. */
export const DemoEvent = z.object({ type: z.string(), at: z.string().optional(), data: Data });
export type DemoEvent = z.infer<typeof DemoEvent>;

const MARKS: Record<string, string> = { completed: "✔", failed: "✘", skipped: "–", cancelled: "■" };
const COLOURS: Record<string, number> = { completed: 32, failed: 31, skipped: 90, cancelled: 33 };

/** Shows a run's events as lines of a terminal: each step, its output below it, and how it ended. */
export class DemoScreen {
  private readonly names = new Map<string, string>();
  private readonly begun = new Map<string, number>();
  /** Output of which the line's end has not come yet, by step. */
  private readonly open = new Map<string, string>();

  constructor(
    private readonly print: (line: string) => void,
    private readonly colours: boolean,
  ) {}

  show({ type, at, data }: DemoEvent): void {
    const step = data.step_id ?? "";
    const time = at === undefined ? Date.now() : Date.parse(at);
    switch (type) {
      case "workflow.step.started": {
        this.names.set(step, data.step_name ?? step);
        this.begun.set(step, time);
        this.print(
          `${this.paint(36, "▶")} ${this.paint(1, data.step_name ?? step)}${data.phase ? this.paint(90, `  ${data.phase}`) : ""}`,
        );
        return;
      }
      case "workflow.step.progress":
        this.output(step, data.output ?? "");
        return;
      case "workflow.step.retrying":
        this.print(`  ${this.paint(33, `↻ again: ${data.error?.message ?? "it failed"}`)}`);
        return;
      case "workflow.step.completed": {
        this.finishLine(step);
        const status = data.status ?? "completed";
        const seconds = ((time - (this.begun.get(step) ?? time)) / 1000).toFixed(1);
        const name = this.names.get(step) ?? step;
        this.print(`${this.paint(COLOURS[status] ?? 0, `${MARKS[status] ?? "·"} ${name}`)} ${this.paint(90, `${seconds} s`)}`);
        return;
      }
    }
  }

  comment(text: string): void {
    for (const line of text.split("\n")) this.print(`  ${this.paint(35, "“")} ${line}`);
  }

  paint(code: number, text: string): string {
    return this.colours && code > 0 ? `\u001b[${code}m${text}\u001b[0m` : text;
  }

  private output(step: string, text: string): void {
    const lines = ((this.open.get(step) ?? "") + text).split("\n");
    this.open.set(step, lines.pop() ?? "");
    for (const line of lines) this.line(line);
  }

  private finishLine(step: string): void {
    const rest = this.open.get(step) ?? "";
    this.open.delete(step);
    if (rest !== "") this.line(rest);
  }

  private line(text: string): void {
    this.print(`  ${this.paint(90, "│")} ${withoutControls(text)}`);
  }
}

/** What a program prints may not move our cursor. */
function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "").replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "");
}
