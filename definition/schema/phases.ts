import { line, list, ref, type Schema, text } from "./parts.js";
import { stepDefinitions } from "./step.js";
import { KEY, schema, TOP_RULES, topProperties } from "./top.js";

/** Of definitions in the dialect phases. */
export const phasesSchema: Schema = schema("Longhaul: phases", "A workflow of steps in phases, one after the other.", {
  required: ["name", "steps"],
  properties: {
    ...topProperties("phases"),
    steps: list("What is done, in order.", ref("step"), { minItems: 1 }),
  },
  allOf: TOP_RULES,
  definitions: stepDefinitions({
    reference: "\\{\\{[^}]*\\}\\}",
    own: { id: text("The step's own key.", KEY), name: line("How people see it; left out: its id.") },
    required: ["id"],
  }),
});
