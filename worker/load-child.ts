import * as temporal from "@temporalio/workflow";
import * as zod from "zod";
import type { Json } from "../contract/json.js";
import type { CodeProgram } from "../contract/run-spec.js";
import { evaluateProgram, placeOf } from "../sdk/evaluate.js";
import type { WorkflowDefinition } from "../sdk/index.js";
import * as longhaul from "../sdk/index.js";
import { answerParent } from "./answer-parent.js";
import type { CodeRequest, Description, LoadAnswer } from "./load.js";

let definition: WorkflowDefinition | undefined;

/** Evaluates one workflow file and says what it is, as its parent asks. Runs as a process of its own, without secrets. */
export async function main(): Promise<void> {
  await answerParent(answer);
}

function answer(request: CodeRequest): LoadAnswer {
  switch (request.ask) {
    case "functions":
      return namesOf(request);
    case "describe":
      return aboutCode(request.program, (known) => ({ ok: true, description: describe(known, request.activitiesCode) }));
    case "check":
      return aboutCode(request.program, (known) => check(known, request.input));
  }
}

function aboutCode(program: Omit<CodeProgram, "activities">, say: (definition: WorkflowDefinition) => LoadAnswer): LoadAnswer {
  try {
    definition ??= evaluateProgram(program, { longhaul, zod, "@temporalio/workflow": temporal });
    return say(definition);
  } catch (error) {
    const place = placeOf(error, program);
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, error: { message, file: place?.file ?? program.file, line: place?.line ?? null } };
  }
}

function describe(definition: WorkflowDefinition, activitiesCode: string | null): Description {
  const { name, description, version, phases = [], timeout, config = {}, input } = definition;
  if (!Array.isArray(phases) || phases.some((phase) => typeof phase !== "string")) {
    throw new Error(`\`phases\` of "${name}" is not a list of texts.`);
  }
  return {
    name,
    description: description ?? null,
    version: version ?? null,
    phases: [...phases],
    args_schema: input ? (zod.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as Json) : null,
    config: JSON.parse(JSON.stringify(config)) as Json,
    timeout_ms: timeout,
    activities: activitiesCode === null ? [] : activityNames(activitiesCode),
  };
}

function namesOf({ file, code }: Extract<CodeRequest, { ask: "functions" }>): LoadAnswer {
  try {
    return { ok: true, names: activityNames(code) };
  } catch (error) {
    return { ok: false, error: { message: error instanceof Error ? error.message : String(error), file, line: null } };
  }
}

function activityNames(code: string): string[] {
  const module = { exports: {} as { activities?: Record<string, unknown> } };
  new Function("module", "exports", "require", code)(module, module.exports, process.getBuiltinModule);
  const activities = module.exports.activities ?? {};
  return Object.keys(activities).filter((name) => typeof activities[name] === "function");
}

function check(definition: WorkflowDefinition, input: Json): LoadAnswer {
  if (!definition.input) return { ok: true, input };
  const parsed = definition.input.safeParse(input);
  if (parsed.success) return { ok: true, input: JSON.parse(JSON.stringify(parsed.data ?? null)) as Json };
  return {
    ok: false,
    problems: parsed.error.issues.map(({ path, message }) => ({ path: ["input", ...path.map(String)].join("."), message })),
  };
}
