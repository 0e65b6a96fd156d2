import { LEAST_REMIND_MS, MOST_APPROVERS } from "../../contract/approval.js";
import { MOST_REWORKS } from "../../contract/plan.js";
import { USER_ID } from "../../contract/user.js";
import { anyMap, duration, either, list, map, text, whole, word } from "./parts.js";
import type { Kind } from "./step.js";

/** What people are asked. */
export const APPROVAL: Kind = {
  title: "A person's approval",
  types: ["approval"],
  properties: {
    message: text("What the person is asked."),
    fields: anyMap("JSON schema of the answer's fields."),
    deadline: duration("How long to wait; left out: for ever.", { least: 1000 }),
    default: word("The answer when nobody has answered by then; left out: the step fails.", ["approve", "reject"]),
    approvers: list("Ids of the users who may answer; left out: anybody.", text("A user.", { pattern: USER_ID.source }), {
      minItems: 1,
      maxItems: MOST_APPROVERS,
    }),
    required: whole("How many of them must approve; default 1.", 1, MOST_APPROVERS),
    rejections: whole("How many of them must reject; default 1.", 1, MOST_APPROVERS),
    remind_every: duration("How often they are reminded; left out: never.", { least: LEAST_REMIND_MS }),
    on_reject: either(
      "What becomes of a rejection; left out: the step fails.",
      { type: "string", enum: ["fail", "continue"] },
      map(
        "The work goes back: an agent is told the reason, and then it is asked again.",
        {
          rework: text("The key of the agent's step, which comes before.", { maxLength: 100 }),
          times: whole("How often; default 3. The last rejection fails the step.", 1, MOST_REWORKS),
        },
        { required: ["rework"] },
      ),
    ),
  },
  required: ["message"],
};
