import type { Value } from "../contract/plan.js";
import type { Fields } from "./fields.js";
import { commandProblem } from "./render-command.js";

/**
 * A shell command at the key `command`, which must be there. A reference where no value can be put without being run is a problem here,
 * not first in a run.
 */
export function commandOf(fields: Fields): Value {
  const command = fields.template(fields.need("command")) ?? { literal: "" };
  const problem = commandProblem(command);
  if (problem) fields.problem("command", problem);
  return command;
}
