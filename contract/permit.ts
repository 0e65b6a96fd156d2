import { z } from "zod";
import { Json } from "./json.js";
import { Time } from "./time.js";

/** For which calls a person's consent holds: for the one that was asked about, or for all of its kind in the rest of the run. */
export const PermitScope = z.enum(["once", "run"]);
export type PermitScope = z.infer<typeof PermitScope>;

/** What an agent wants to do and nobody has allowed, as people see it: masked, and cut to a length. */
export const AskedPermit = z.object({
  tool: z.string(),
  input: Json,
  /** Why, in the agent's words. */
  reason: z.string().optional(),
  /** In words, what is allowed besides by a consent for the run. Absent of a question. */
  for_run: z.string().optional(),
});
export type AskedPermit = z.infer<typeof AskedPermit>;

/** The same, as the run knows it. */
export interface PermitQuery extends AskedPermit {
  /** Stands for this very call: of tool and input, a hash. */
  call: string;
  /** Stands for all calls that a consent for the run allows. */
  rule: string;
  /** It is a question of the agent's: JSON schema of the answer's fields. */
  question?: Json;
}

/** A request of an agent and what came of it. Kept in the output of its step. */
export const PermitDecision = AskedPermit.extend({
  allowed: z.boolean(),
  scope: PermitScope,
  /** The user's id; null when nobody has answered by the deadline. */
  by: z.string().nullable(),
  at: Time,
  comment: z.string().optional(),
  /** The answers to a question. */
  fields: Json.optional(),
});
export type PermitDecision = z.infer<typeof PermitDecision>;

/** What the next round of a turn has to know of a request that was decided. */
export type DecidedPermit = PermitDecision &
  Pick<PermitQuery, "call" | "rule" | "question"> & {
    /** A consent for one call that was made. */
    used?: boolean;
  };

/** JSON schema of what a consent has to say. */
export const PERMIT_FIELDS = {
  type: "object",
  properties: {
    scope: {
      type: "string",
      enum: PermitScope.options,
      default: "once",
      description: "once: this very call. run: all calls of its kind, by all agents of this run.",
    },
  },
  additionalProperties: false,
} satisfies Json;

/** How requests are asked of people. Left out of a step's input: nobody is asked, and what is not allowed is refused. */
export type PermitAsking = {
  /** Milliseconds that a person has for each answer. @default for ever */
  deadline_ms?: number;
  /** What counts when nobody has answered by then. @default "deny" */
  default?: "allow" | "deny";
};
