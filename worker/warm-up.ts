import { compile } from "../definition/compile.js";

/** V8 makes machine code of what has run often: a long definition that comes after this is read in half the time. */
const TIMES = 20;
/** Who is started for something at once is asked sooner. */
const AFTER_MS = 100;

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

/** Compile a definition, again and again, as this process waits. Gives what ends it, for when it waits no more. */
export function warmUp(): () => void {
  let timer = setTimeout(again, AFTER_MS, TIMES);
  return () => clearTimeout(timer);

  function again(left: number): void {
    compile(SAMPLE, "sample.yaml");
    if (left > 1) timer = setTimeout(again, 0, left - 1);
  }
}
