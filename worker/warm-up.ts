import { compile } from "../definition/compile.js";

/** V8 makes machine code of what has run often: a long definition that comes after this is read in a third of the time. */
const TIMES = 120;
/** Who is asked something is often asked more at once. */
const AFTER_MS = 1_000;

/** As many steps as are compiled in ten milliseconds by then: so long who asks meanwhile may have to wait. */
const PAIRS = 20;

const SAMPLE = `name: sample
input:
  type: object
steps:
${Array.from({ length: PAIRS }, (_, i) => pairOfSteps(i)).join("")}`;

function pairOfSteps(i: number): string {
  return `  - id: ask-${i}
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
`;
}

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
    compile(SAMPLE, "sample.yaml");
    if (--this.left > 0) this.timer = setTimeout(() => this.again(), 0).unref();
  }
}
