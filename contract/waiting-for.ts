import { z } from "zod";
import { GivenAnswer } from "./approval.js";
import { Json } from "./json.js";
import { AskedPermit } from "./permit.js";
import { Time } from "./time.js";

/** What a waiting run or step waits for. None waits silently. */
export const WaitingFor = z.object({
  kind: z.enum(["approval", "event", "timer", "slot", "limit", "resume"]),
  step_id: z.string().optional(),
  message: z.string(),
  /** When the wait began. */
  since: Time.optional(),
  until: Time.optional(),
  /** Name of the event. */
  event: z.string().optional(),
  /** Of an approval: JSON schema of the answer's fields. */
  fields: Json.optional(),
  /** Of an approval whose step may ask several times: names what is asked now. */
  request: z.string().optional(),
  /** Of an approval that an agent asks for: what it wants to do. */
  permission: AskedPermit.optional(),
  /** Of an approval: ids of those who may answer now. Absent: anybody may. */
  approvers: z.array(z.string()).optional(),
  /** Of an approval that several people must approve: how many. */
  required: z.int().optional(),
  /** Of such an approval: what was said so far. */
  answers: z.array(GivenAnswer).optional(),
});
export type WaitingFor = z.infer<typeof WaitingFor>;
