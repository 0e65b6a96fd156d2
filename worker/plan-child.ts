import type { Json } from "../contract/json.js";
import type { PlanProgram } from "../contract/run-spec.js";
import { compile } from "../definition/compile.js";
import { checkBySchema } from "../definition/fit-schema.js";
import { answerParent } from "./answer-parent.js";
import type { LoadAnswer, PlanRequest } from "./load.js";
import { WarmUp } from "./warm-up.js";

/** Reads definitions of YAML and JSON, and checks inputs by their schemas, as its parent asks. */
export async function main(): Promise<void> {
  const warmUp = new WarmUp();
  warmUp.later();
  await answerParent((request: PlanRequest): LoadAnswer => {
    warmUp.later();
    return request.ask === "plan" ? compile(request.text, request.file) : check(request.program, request.input);
  });
}

function check({ plan }: PlanProgram, input: Json): LoadAnswer {
  if (plan.input_schema === undefined) return { ok: true, input };
  const checked = checkBySchema(plan.input_schema, input, "input");
  return checked.ok ? { ok: true, input: checked.value } : checked;
}
