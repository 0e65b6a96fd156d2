import { z } from "zod";
import { Json } from "./json.js";
import { Time } from "./time.js";
import { UserId } from "./user.js";

/** What one person has said. Null `by`: nobody, the deadline has answered. */
export const GivenAnswer = z.object({
  approved: z.boolean(),
  /** The user's id. */
  by: z.string().nullable(),
  at: Time,
  /** The reason. */
  comment: z.string().optional(),
  /** What was filled in, as the approval's schema asks for it. */
  fields: Json.optional(),
});
export type GivenAnswer = z.infer<typeof GivenAnswer>;

/** What an approval has come to: the answer that decided it. The output of the approval's step. */
export const ApprovalAnswer = GivenAnswer.extend({
  /** Of an approval that needs several people: what each of them said, in order. */
  answers: z.array(GivenAnswer).optional(),
});
export type ApprovalAnswer = z.infer<typeof ApprovalAnswer>;

/** People that an approval can need or name. */
export const MOST_APPROVERS = 100;
/** Milliseconds between two reminders, at least. */
export const LEAST_REMIND_MS = 1000;

/** Who may answer an approval, and how many of them decide it. */
export const Quorum = z.object({
  /** Ids of users. Left out: anybody may answer. */
  approvers: z.array(UserId).min(1).max(MOST_APPROVERS).optional(),
  /** Different people who must approve. @default 1 */
  required: z.int().min(1).max(MOST_APPROVERS).optional(),
  /** Different people who must reject. @default 1 */
  rejections: z.int().min(1).max(MOST_APPROVERS).optional(),
});
export type Quorum = z.infer<typeof Quorum>;

/** Why these people can never decide it; null when they can. */
export function problemOfQuorum({ approvers, required = 1, rejections = 1 }: Quorum): string | null {
  if (!approvers) return null;
  if (new Set(approvers).size < approvers.length) return `"approvers" names somebody twice: ${approvers.join(", ")}.`;
  const [most, what] = required >= rejections ? [required, "required"] : [rejections, "rejections"];
  return most > approvers.length ? `"${what}" is ${most}, and "approvers" has ${approvers.length}.` : null;
}

/** The input of an approval's step: what is asked, and of whom. */
export const ApprovalInput = Quorum.extend({
  message: z.string(),
  /** JSON schema of the answer's fields; without one an answer has none. */
  fields: Json.optional(),
  deadline_ms: z.number().optional(),
  default: z.enum(["approve", "reject"]).optional(),
  remind_every_ms: z.number().optional(),
});
export type ApprovalInput = z.infer<typeof ApprovalInput>;

/** One thing that was said to an approval, or to what an agent asks. It never changes. */
export const ApprovalRecord = z.object({
  id: z.string(),
  run_id: z.string(),
  /** Row id of the step. */
  step_id: z.string(),
  /** Which request of a step that may ask several times. */
  request: z.string().nullable(),
  /** `delegate`: whoever is `by` has handed it to `delegate`. */
  answer: z.enum(["approve", "reject", "delegate"]),
  /** The user's id; null when nobody has answered by the deadline. */
  by: z.string().nullable(),
  delegate: z.string().nullable(),
  comment: z.string().nullable(),
  fields: Json.nullable(),
  /** With it the matter was settled. */
  decided: z.boolean(),
  at: Time,
});
export type ApprovalRecord = z.infer<typeof ApprovalRecord>;
