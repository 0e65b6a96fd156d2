import type { AgentSessionRow } from "../contract/agent-session.js";
import type { EventType } from "../contract/event.js";
import type { FactBody } from "../contract/fact.js";
import type { JsonObject } from "../contract/json.js";
import { type LogPlace, logCommentId } from "./fact-log.js";

export interface FactEvent {
  type: EventType;
  data: JsonObject;
}

/** The event that tells this fact to readers; null for what only changes rows. Pure. */
export function eventOf(fact: FactBody & LogPlace, projectId: string): FactEvent | null {
  const event = (type: EventType, data: JsonObject): FactEvent => ({
    type,
    data: { execution_id: fact.run_id, project_id: projectId, ...data },
  });
  switch (fact.type) {
    case "run.created":
      return event("workflow.execution.status_changed", { status: "pending" });
    case "run.status":
    case "run.finished":
      return event("workflow.execution.status_changed", { status: fact.status });
    case "run.restored":
      return event("workflow.execution.restored", { checkpoint_id: fact.restore.checkpoint_id });
    case "run.phase":
      return event("workflow.execution.phase_changed", { current_phase: fact.phase });
    case "step.started":
      return event("workflow.step.started", { step_id: fact.step.id, step_name: fact.step.name, phase: fact.step.phase });
    case "step.waiting":
      if (fact.waiting_for.kind !== "approval") return null;
      return event("workflow.approval.requested", { step_id: fact.step_id, ...requestOf(fact.waiting_for) });
    case "approval.answered": {
      const { step_id, approved, by, decided } = fact;
      return event("workflow.approval.answered", { step_id, approved, by, decided, ...requestOf(fact) });
    }
    case "approval.delegated":
      return event("workflow.approval.delegated", { step_id: fact.step_id, by: fact.by, to: fact.to });
    case "approval.reminded":
      return event("workflow.approval.reminded", { step_id: fact.step_id, reminder: fact.reminder });
    case "step.attempt":
      if (fact.retry_at === null) return null;
      return event("workflow.step.retrying", { step_id: fact.step_id, attempt: fact.attempt, error: { ...fact.error } });
    case "step.finished":
      return event("workflow.step.completed", { step_id: fact.step_id, status: fact.status });
    case "checkpoint.created":
      return event("workflow.checkpoint.created", { checkpoint_id: fact.id, step_id: fact.step.id });
    case "checkpoint.labelled":
      return event("workflow.checkpoint.labelled", { checkpoint_id: fact.checkpoint_id, label: fact.label });
    case "comment.created":
      return event("workflow.comment.created", { comment_id: fact.comment.id, step_id: fact.comment.step_id });
    case "artifact.created":
      return event("workflow.artifact.created", { artifact_id: fact.artifact.id, step_id: fact.artifact.step_id });
    case "artifact.attached":
      return event("workflow.artifact.attached", { artifact_id: fact.artifact_id, comment_id: fact.comment_id });
    case "session.updated":
      return event("workflow.agent.updated", { step_id: fact.session.step_id, session: sessionSummary(fact.session) });
    case "log": {
      const comment = logCommentId(fact, fact.level);
      return comment === null ? null : event("workflow.comment.created", { comment_id: comment, step_id: fact.step_id });
    }
    case "run.continued":
    case "run.git":
    case "run.state":
    case "step.resumed":
    case "tool_call.recorded":
    case "forgery.refused":
      return null;
  }
}

/** Which of a step's requests it is, where it may have several. */
function requestOf({ request }: { request?: string | undefined }): JsonObject {
  return request === undefined ? {} : { request };
}

function sessionSummary({ id, name, agent, status, session_file_path, usage }: AgentSessionRow): JsonObject {
  return { id, name, agent, status, session_file_path, usage };
}
