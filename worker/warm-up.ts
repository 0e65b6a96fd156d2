import { availableParallelism, loadavg } from "node:os";
import { parse } from "yaml";
import { compile } from "../definition/compile.js";

/** V8 makes machine code of what has run often: a long definition that comes after this is read in a third of the time. */
const TIMES = 200;
/** Who is asked something is often asked more at once. */
const AFTER_MS = 1_000;

/**
 * One after the other: V8 bets on what it has seen, and starts anew with what looks otherwise. As many steps each as are compiled
 * in ten milliseconds by then: so long who asks meanwhile may have to wait.
 */
export const SAMPLES: readonly [file: string, text: string][] = [
  ["phases.yaml", phases(20)],
  ["tools.yaml", tools(25)],
  ["dag.yaml", dag(25)],
  ["tools.json", JSON.stringify(parse(tools(25)), null, 2)],
];

/** Compiles a definition, again and again, while this process waits, until that is of no more use. */
export class WarmUp {
  private left = TIMES;
  private timer: NodeJS.Timeout | undefined;

  /** Go on when nothing else has been done for a while. */
  later(): void {
    clearTimeout(this.timer);
    if (this.left > 0) this.timer = setTimeout(() => this.again(), AFTER_MS).unref();
  }

  private again(): void {
    if (isBusy()) {
      this.later();
      return;
    }
    const [file = "", text = ""] = SAMPLES[this.left % SAMPLES.length] ?? [];
    compile(text, file);
    if (--this.left > 0) this.timer = setTimeout(() => this.again(), 0).unref();
  }
}

/** Others have more use for the processors. */
function isBusy(): boolean {
  return (loadavg()[0] ?? 0) > availableParallelism();
}

/** Two steps each. */
function phases(pairs: number): string {
  const pair = (i: number) => `
  # What part ${i} is about.
  - id: ask-${i}
    name: "Part ${i}"
    phase: build
    type: agent
    agent: claude
    prompt: |
      Do part ${i} of {{ input.title }},
      and say what is left to do.
    if: input.force
    timeout: 10m
  - id: check-${i}
    type: script
    command: npm test -- "{{ input.title }}"
    if: steps["ask-${i}"].text == "done" && input.number > ${i}
    retry: { maxAttempts: 3, delay: 1s }
`;
  return `name: phases\ninput: { type: object, properties: { title: {}, force: {}, number: { type: number } } }\nsteps:${times(pairs, pair)}`;
}

function tools(count: number): string {
  const step = (i: number) => `
  - name: step_${i}
    tool: github.getIssue
    params:
      owner: \${owner}
      number: ${i}
      labels: [a, b]
    if: \${issue.state == 'open' && issue.comments > ${i}}`;
  return `name: tools\nsteps:${times(count, step)}`;
}

function dag(count: number): string {
  const step = (i: number) => `
  - key: step-${i}
    agent: reviewer
    prompt: 'Do part ${i} of {{ input.title }}${i === 0 ? "" : ` after {{ step-${i - 1}.text }}`}.'
    dependencies:${i === 0 ? " []" : `\n      - step-${i - 1}`}
    if: size(input.title) > ${i}`;
  return `name: dag\nsteps:${times(count, step)}`;
}

function times(count: number, text: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => text(i)).join("");
}
