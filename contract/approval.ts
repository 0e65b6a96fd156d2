import { z } from "zod";
import { Json } from "./json.js";
import { Time } from "./time.js";

/** What somebody, or an approval's deadline, has said. The output of the approval's step. */
export const ApprovalAnswer = z.object({
  approved: z.boolean(),
  /** The user's id; null when the deadline has answered. */
  by: z.string().nullable(),
  at: Time,
  comment: z.string().optional(),
  /** What was filled in, as the approval's schema asks for it. */
  fields: Json.optional(),
});
export type ApprovalAnswer = z.infer<typeof ApprovalAnswer>;

/** The input of an approval's step: what is asked. */
export const ApprovalInput = z.object({
  message: z.string(),
  /** JSON schema of the answer's fields; without one an answer has none. */
  fields: Json.optional(),
  deadline_ms: z.number().optional(),
  default: z.enum(["approve", "reject"]).optional(),
});
export type ApprovalInput = z.infer<typeof ApprovalInput>;
