import type { Run } from "../contract/run.js";
import type { Step } from "../contract/step.js";
import type { WaitingFor } from "../contract/waiting-for.js";
import type { WholeRun } from "../contract/whole-run.js";
import { paint, print, type Style, say, statusStyle, withoutControls } from "./output.js";
import { printTable } from "./table.js";
import { ago, duration } from "./times.js";

/** One line a run. */
export function printRuns(runs: readonly Run[]): void {
  printTable(runs, [
    { title: "ID", text: (run) => run.id },
    { title: "STATUS", text: (run) => run.status, style: (run) => statusStyle(run.status) },
    { title: "NAME", text: (run) => run.name, shrinks: true },
    { title: "STEPS", text: (run) => String(run._count.steps), align: "right" },
    { title: "TIME", text: (run) => duration(run.duration_ms), align: "right" },
    { title: "STARTED", text: (run) => ago(run.started_at ?? run.created_at) },
  ]);
}

/** A run with its steps, and what came of it. */
export function printRun(run: WholeRun): void {
  print(`${paint(statusStyle(run.status), run.status)}  ${paint("bold", withoutControls(run.name))}  ${run.id}`);
  print();
  for (const [title, text, style] of details(run)) {
    if (text !== null) print(`${title.padEnd(9)} ${style ? paint(style, text) : text}`);
  }
  if (run.steps.length > 0) {
    print();
    printTable(
      run.steps.toSorted((a, b) => a.step_number - b.step_number),
      STEP_COLUMNS,
    );
  }
}

/** How a run ended, in a line for people. */
export function sayEnd(run: WholeRun): void {
  const took = run.duration_ms === null ? "" : ` after ${duration(run.duration_ms)}`;
  const why = run.error_message === null ? "" : `: ${withoutControls(run.error_message)}`;
  const where = run.status === "completed" ? "" : ` \`longhaul logs ${run.id}\` has its output.`;
  say(`The run ${run.id} is ${run.status}${took}${why}${why && !/[.!?]$/.test(why) ? "." : ""}${where}`);
}

const STEP_COLUMNS = [
  { title: "#", text: (step: Step) => String(step.step_number), align: "right" as const },
  { title: "STEP", text: (step: Step) => step.name, shrinks: true },
  { title: "KIND", text: (step: Step) => step.kind },
  { title: "STATUS", text: (step: Step) => step.status, style: (step: Step) => statusStyle(step.status) },
  { title: "TRIES", text: (step: Step) => String(step.attempt), align: "right" as const },
  { title: "TIME", text: (step: Step) => duration(step.duration_ms), align: "right" as const },
  { title: "ERROR", text: (step: Step) => step.error_message ?? "", shrinks: true },
];

function details(run: WholeRun): [string, string | null, Style?][] {
  const { workflow_definition: workflow, waiting_for: waiting } = run;
  const until = waiting?.until === undefined ? "" : `, until ${waiting.until}`;
  return [
    ["Workflow", `${withoutControls(workflow.name)}, revision ${run.workflow_revision}`],
    ["Started", run.started_at === null ? null : `${run.started_at} (${ago(run.started_at)})`],
    ["Ended", run.completed_at === null ? null : `${run.completed_at} (${ago(run.completed_at)})`],
    ["Took", run.duration_ms === null ? null : duration(run.duration_ms)],
    ["Phase", run.current_phase],
    ["Waits for", waiting === null ? null : `${withoutControls(waiting.message)}${until}${peopleOf(waiting)}`, "yellow"],
    ["Input", short(run.input)],
    ["Output", run.output === null ? null : short(run.output)],
    ["Branch", run.branch_name],
    ["Commit", run.commit_sha],
    ["Pull req.", run.pr_url],
    ["Error", run.error_message === null ? null : withoutControls(run.error_message), "red"],
    ["By", run.triggered_by === null ? null : withoutControls(run.triggered_by)],
    ["Temporal", run.temporal.url],
  ];
}

/** Of an approval: who may answer it, and how far it is. */
function peopleOf({ approvers, required, answers = [] }: WaitingFor): string {
  const by = approvers ? `, of ${approvers.join(", ")}` : "";
  return required === undefined ? by : `${by}, ${answers.filter(({ approved }) => approved).length} of ${required} so far`;
}

function short(value: unknown): string {
  const text = withoutControls(JSON.stringify(value));
  return text.length <= 200 ? text : `${text.slice(0, 200)}… (--format json has it all)`;
}
