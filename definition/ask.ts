import type { PlanWork } from "../contract/plan.js";
import { defined } from "./defined.js";
import { type Fields, fieldsOf } from "./fields.js";

type Ask = NonNullable<(PlanWork & { kind: "agent" })["ask"]>;

/** `ask`: how a person is asked for what an agent's permission does not cover; false: nobody is. */
export function askOf(fields: Fields): Ask | false | undefined {
  const node = fields.value("ask");
  if (node?.kind === "scalar") {
    if (node.value !== false) fields.problem("ask", '"ask" must be false, or a map with "deadline" and "default".');
    return false;
  }
  const asked = node && fieldsOf(node, fields.reading, '"ask"');
  if (!asked) return undefined;
  const deadline_ms = asked.duration("deadline", { min: 1, leastNumber: 1000 });
  const byDefault = asked.oneOf("default", ["allow", "deny"]);
  asked.rest();
  return defined({ deadline_ms, default: byDefault });
}
