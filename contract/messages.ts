import type { AgentSessionRow } from "./agent-session.js";
import type { ArtifactRow } from "./artifact.js";
import type { CommentRow, StepRef } from "./fact.js";
import type { Json } from "./json.js";
import type { StepAction } from "./step-action.js";

/** Names of our signals and the query: reserved, user code cannot handle them. */
export const SIGNAL = {
  pause: "longhaul.pause",
  resume: "longhaul.resume",
  cancel: "longhaul.cancel",
  comment: "longhaul.comment",
  artifact: "longhaul.artifact",
  attach: "longhaul.attach",
  event: "longhaul.event",
  session: "longhaul.session",
  checkpoint: "longhaul.checkpoint",
  label: "longhaul.label",
} as const;

/** Names of our updates: requests that the run itself decides about. Reserved as well. */
export const UPDATE = {
  answer: "longhaul.answer",
  delegate: "longhaul.delegate",
  step: "longhaul.step",
} as const;

/** How Temporal's own requests that Longhaul makes for a person are signed, with that person's id. */
export const BY_LONGHAUL = "longhaul: ";

/** The type with which an update is refused for the moment, since the run is between two executions: to be asked for again. */
export const PASSING = "passing";

/** A request of a person, with the id and time the API chose for it. */
export interface Request {
  id: string;
  at: string;
  by: string | null;
  reason?: string | undefined;
  /** Of a pause: at the next step's beginning, or with the running step stopped and continued later. @default "boundary" */
  mode?: "boundary" | "now" | undefined;
  /** It comes from the run above, which was asked. @default of this run itself */
  above?: boolean | undefined;
}

export interface CommentMessage {
  at: string;
  comment: CommentRow;
}

export interface ArtifactMessage {
  at: string;
  artifact: ArtifactRow;
}

export interface AttachMessage extends Request {
  artifact_id: string;
  comment_id: string | null;
}

/** A checkpoint that a person wants at the step that ended last. */
export interface CheckpointMessage extends Request {
  checkpoint_id: string;
  step: StepRef;
  label: string;
}

export interface LabelMessage extends Request {
  checkpoint_id: string;
  label: string | null;
}

/** Somebody's answer to an approval. */
export interface AnswerMessage extends Omit<Request, "reason" | "mode" | "above"> {
  /** Row id of the step that asks. */
  step_id: string;
  /** What it is the answer to, where a step may ask several times: `WaitingFor.request`. */
  request?: string | undefined;
  approved: boolean;
  comment?: string | undefined;
  fields?: Json | undefined;
}

/** What became of an answer, or of handing one over. */
export interface Answered {
  step_id: string;
  /** Of the row that keeps it: `ApprovalRecord.id`. */
  id: string;
  /** With it the matter was settled. */
  decided: boolean;
}

/** Somebody hands their answer to an approval to somebody else. */
export interface DelegateMessage extends Omit<Request, "reason" | "mode" | "by"> {
  by: string;
  /** Row id of the step that asks. */
  step_id: string;
  /** The other's id. */
  to: string;
  comment?: string | undefined;
}

/** A person's hand on a step that is under way. */
export interface StepMessage extends Omit<Request, "mode" | "above"> {
  /** Row id of the step. */
  step_id: string;
  /** Leave it out; try it again at once instead of later; take `output` for what it gave. */
  action: StepAction;
  /** What the step gives when it is completed by hand: of the shape that the run's code expects. */
  output?: Json | undefined;
}

/** Something that has happened outside, for the run to take when it waits for it. */
export interface EventMessage extends Omit<Request, "reason" | "mode" | "above"> {
  name: string;
  payload: Json;
}

/** An agent's session has begun: told by its activity while that is under way. */
export interface SessionMessage {
  at: string;
  session: AgentSessionRow;
}

/** Key of the object that a payload without our signature decodes to. */
export const UNVERIFIED = "longhaul.unverified";

/** Whether a value came from a payload that Longhaul did not sign, or did not come at all. */
export function isUnverified(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "object" && UNVERIFIED in value);
}
