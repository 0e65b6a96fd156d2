import { logCommentId } from "./fact-log.js";
import { type ArtifactRow, type CommentRow, known, type RunRows, type Told, touch } from "./fact-rows.js";

/** A comment with a known id stays as it is, unless the run itself tells it `again` with other content. */
export function addComment(rows: RunRows, fact: Told<"comment.created">, again: boolean): void {
  const { id, step_id, text, comment_type, metadata, created_by } = fact.comment;
  putComment(rows, { id, step_id, text, comment_type, metadata, created_by }, new Date(fact.at), again);
}

function putComment(rows: RunRows, comment: Omit<Told<"comment.created">["comment"], "run_id">, at: Date, again: boolean): void {
  const before = rows.comments.get(comment.id);
  if (before && !again) return;
  const row: CommentRow = {
    id: comment.id,
    runId: rows.run.id,
    stepId: known(comment.step_id, rows.steps),
    text: comment.text,
    commentType: comment.comment_type,
    metadata: comment.metadata ?? {},
    createdBy: known(comment.created_by, rows.users),
    createdAt: before?.createdAt ?? at,
    updatedAt: at,
  };
  rows.comments.set(row.id, row);
  touch(rows, row, at);
}

/** As with comments; what the artifact is attached to stays. */
export function addArtifact(rows: RunRows, fact: Told<"artifact.created">, again: boolean): void {
  const { artifact } = fact;
  const before = rows.artifacts.get(artifact.id);
  if (before && !again) return;
  const at = new Date(fact.at);
  const row: ArtifactRow = {
    id: artifact.id,
    runId: rows.run.id,
    stepId: known(artifact.step_id, rows.steps),
    agentSessionId: known(artifact.agent_session_id, rows.sessions),
    workflowCommentId: before?.workflowCommentId ?? null,
    name: artifact.name,
    filePath: artifact.file_path.replace(/^\/+/, ""),
    storageType: "filesystem",
    type: artifact.type,
    fileType: artifact.file_type,
    mimeType: artifact.mime_type,
    sizeBytes: artifact.size_bytes,
    sha256: artifact.sha256,
    version: artifact.version,
    metadata: artifact.metadata ?? {},
    createdAt: before?.createdAt ?? at,
    updatedAt: at,
  };
  rows.artifacts.set(row.id, row);
  touch(rows, row, at);
}

export function attachArtifact(rows: RunRows, fact: Told<"artifact.attached">): void {
  const row = rows.artifacts.get(fact.artifact_id);
  if (!row) return;
  row.workflowCommentId = known(fact.comment_id, rows.comments);
  touch(rows, row, new Date(fact.at));
}

export function keepSession(rows: RunRows, { session, ...fact }: Told<"session.updated">): void {
  const at = new Date(fact.at);
  const before = rows.sessions.get(session.id);
  const step = rows.steps.get(session.step_id);
  const row = {
    id: session.id,
    runId: rows.run.id,
    workflowStepId: step?.id ?? null,
    name: session.name,
    agent: session.agent,
    model: session.model,
    providerSessionId: session.provider_session_id,
    status: session.status,
    sessionFilePath: session.session_file_path?.replace(/^\/+/, "") ?? null,
    usage: session.usage,
    createdAt: before?.createdAt ?? at,
    updatedAt: before?.updatedAt ?? at,
  };
  rows.sessions.set(row.id, row);
  touch(rows, row, at);
  if (!step) return;
  step.agentSessionId = row.id;
  touch(rows, step, at);
}

export function keepToolCall(rows: RunRows, { call }: Told<"tool_call.recorded">): void {
  const row = {
    id: call.id,
    runId: rows.run.id,
    stepId: known(call.step_id, rows.steps),
    agentSessionId: known(call.agent_session_id, rows.sessions),
    tool: call.tool,
    input: call.input,
    output: call.output,
    isError: call.is_error,
    at: new Date(call.at),
  };
  rows.toolCalls.set(row.id, row);
  rows.changed.add(row);
}

export function keepCheckpoint(rows: RunRows, fact: Told<"checkpoint.created">): void {
  const { state, context } = rows.run;
  const completed = fact.created_by === "automatic" ? [fact.step.key] : [];
  const row = {
    id: fact.id,
    runId: rows.run.id,
    stepNumber: fact.step.number,
    stepId: fact.step.id,
    state,
    context,
    completedSteps: completed,
    pendingSteps: [],
    label: fact.label,
    createdBy: fact.created_by,
    commitSha: fact.tree?.commit ?? null,
    treeSha: fact.tree?.tree ?? null,
    treeShared: fact.tree?.shared ?? false,
    sizeBytes: Buffer.byteLength(JSON.stringify({ state, context, completed })),
    createdAt: new Date(fact.at),
  };
  rows.checkpoints.set(row.id, row);
  rows.changed.add(row);
}

export function labelCheckpoint(rows: RunRows, fact: Told<"checkpoint.labelled">): void {
  const row = rows.checkpoints.get(fact.checkpoint_id);
  if (!row) return;
  row.label = fact.label;
  rows.changed.add(row);
}

/** A line of the run's log. One that warns is a comment too, so that nobody has to look for it. */
export function keepLogLine(rows: RunRows, fact: Told<"log">, again: boolean): void {
  const { run_id, level, text, step_id, attempt, at } = fact;
  const line = text.endsWith("\n") ? text : `${text}\n`; // a line of its own among pieces of output
  if (!again) rows.logChunks.push({ run_id, step_id, attempt, stream: "log", level, offset: 0, text: line, at });

  const id = logCommentId(fact, level);
  if (id)
    putComment(rows, { id, step_id, text, comment_type: "system", metadata: { level }, created_by: null }, new Date(at), again);
}
