import type { Json } from "../contract/json.js";
import type { RunRow, StepRow } from "./fact-rows.js";

/** Lines of `execution.log` and a step's `summary.md`: a run as people read it. Pure. */

export interface LogEntry {
  at: string;
  level: string;
  text: string;
}

/** `2025-01-25T10:00:00.000Z INFO  Step 1 (test) started.`, one line an entry, further lines of its text indented. */
export function logLine({ at, level, text }: LogEntry): string {
  return `${at} ${level.toUpperCase().padEnd(5)} ${text.trimEnd().replaceAll("\n", "\n    ")}\n`;
}

export interface StoryEvent {
  type: string;
  at: string;
  data: Record<string, Json>;
}

/** One event in a sentence. Steps are named by what `nameOf` knows of their row id. */
export function entryOf({ type, at, data }: StoryEvent, nameOf: (stepId: string) => string): LogEntry {
  const step = typeof data.step_id === "string" ? nameOf(data.step_id) : "The run";
  const entry = (text: string, level = "info") => ({ at, level, text });
  switch (type) {
    case "workflow.execution.status_changed":
      return entry(`The run is ${data.status}.`, data.status === "failed" || data.status === "timed_out" ? "error" : "info");
    case "workflow.execution.phase_changed":
      return entry(`Phase ${data.current_phase}.`);
    case "workflow.execution.corrected":
      return entry("The record of the run was corrected by a replay of its history.", "warn");
    case "workflow.step.started":
      return entry(`${step} started.`);
    case "workflow.step.retrying":
      return entry(`${step}: attempt ${data.attempt} failed and is tried again: ${messageOf(data.error)}`, "warn");
    case "workflow.step.completed":
      return entry(`${step} ${data.status}.`, data.status === "failed" ? "error" : "info");
    case "workflow.checkpoint.created":
      return entry(`${step}: checkpoint ${data.checkpoint_id}.`);
    case "workflow.comment.created":
      return entry(`Comment ${data.comment_id}.`);
    case "workflow.artifact.created":
      return entry(`Artifact ${data.artifact_id}.`);
    case "workflow.approval.requested":
      return entry(`${step} waits for an answer.`);
    case "workflow.approval.answered":
      return entry(`${step} was ${data.approved ? "approved" : "rejected"} by ${data.by ?? "its deadline"}.`);
    case "workflow.approval.delegated":
      return entry(`${step}: ${data.by} handed the answer to ${data.to}.`);
    case "workflow.approval.reminded":
      return entry(`${step} still waits for an answer: reminder ${data.reminder}.`);
    default:
      return entry(`${type}.`);
  }
}

function messageOf(error: Json | undefined): string {
  return typeof error === "object" && error !== null && "message" in error ? String(error.message) : "";
}

export interface StepStory {
  step: StepRow;
  attempts: readonly { number: number; status: string; error: { message: string } | null }[];
  toolCalls: readonly { tool: string; isError: boolean }[];
  artifacts: readonly { name: string; filePath: string }[];
}

/** Markdown: what the step was, how it went, what it left. */
export function stepSummary({ step, attempts, toolCalls, artifacts }: StepStory): string {
  const took = step.startedAt && step.completedAt ? ` in ${step.completedAt.getTime() - step.startedAt.getTime()} ms` : "";
  const parts = [
    `# ${step.stepNumber}. ${step.name}`,
    `${step.kind}, ${step.status}${took}.`,
    step.error ? `**${step.error.type}**: ${step.error.message}` : "",
    section("Attempts", attempts.length > 1 ? attempts.map(attemptLine) : []),
    section("Tool calls", countsOf(toolCalls)),
    section(
      "Artifacts",
      artifacts.map(({ name, filePath }) => `- ${name}: \`${filePath}\``),
    ),
    section("Output", answerOf(step.output)),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `## ${title}\n\n${lines.join("\n")}`;
}

function attemptLine({ number, status, error }: StepStory["attempts"][number]): string {
  return `${number}. ${status}${error ? `: ${error.message}` : ""}`;
}

function countsOf(calls: StepStory["toolCalls"]): string[] {
  const counts = new Map<string, { all: number; failed: number }>();
  for (const { tool, isError } of calls) {
    const count = counts.get(tool) ?? { all: 0, failed: 0 };
    counts.set(tool, { all: count.all + 1, failed: count.failed + (isError ? 1 : 0) });
  }
  return [...counts].map(([tool, { all, failed }]) => `- ${tool}: ${all}${failed > 0 ? `, ${failed} failed` : ""}`);
}

/** The text of an answer; else the beginning of the JSON. */
function answerOf(output: Json): string[] {
  if (output === null) return [];
  if (typeof output === "object" && !Array.isArray(output) && typeof output.text === "string") return [output.text];
  const text = typeof output === "string" ? output : JSON.stringify(output, null, 2);
  // Four spaces make a code block that no content can close.
  const lines = text.slice(0, 4_000).split("\n");
  return lines.map((line) => `    ${line}`);
}

/** `metadata.json`: the run in brief, as far as it is known now. */
export function metadataOf(run: RunRow): object {
  const { header } = run;
  return {
    run_id: run.id,
    name: run.name,
    status: run.status,
    project_id: run.projectId,
    user_id: run.userId,
    workflow: { id: run.workflowId, name: header.workflow_name, revision: run.workflowRevision, file: header.program.file },
    triggered_by: run.triggeredBy,
    parent_run_id: run.parentRunId,
    branch_name: run.branchName,
    commit_sha: run.commitSha,
    pr_url: run.prUrl,
    error: run.error,
    created_at: run.createdAt,
    started_at: run.startedAt,
    completed_at: run.completedAt,
  };
}
