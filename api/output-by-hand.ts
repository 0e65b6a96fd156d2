import { InvalidError } from "../contract/errors.js";
import { type Json, JsonObject } from "../contract/json.js";
import type { PlanStep } from "../contract/plan.js";
import type { Step } from "../contract/step.js";
import { getRunState } from "../db/runs.js";
import { getProgram } from "../db/workflows.js";
import { checkBySchema } from "../definition/fit-schema.js";
import type { ApiContext } from "./context.js";
import { HttpError } from "./problem.js";

/** Bytes: what one step may put into a history. */
const OUTPUT_LIMIT = 65_536;

/**
 * What a step gives when somebody completes it by hand, of the shape that its run expects: of an agent its answer, of a command its exit
 * code and output, of any other step the value as it is.
 *
 * @param given a text or data for an agent, its data where it has a schema; of a command its standard output, or some of
 *   `exitCode`, `stdout`, `stderr`. Left out: null, an empty answer, exit code 0.
 * @throws {InvalidError} with every place that does not fit the step's schema; {HttpError} 413
 */
export async function outputByHand(context: ApiContext, step: Step, given: Json | undefined): Promise<Json> {
  const output = await shaped(context, step, given);
  if (Buffer.byteLength(JSON.stringify(output)) > OUTPUT_LIMIT)
    throw new HttpError(
      413,
      "too_large",
      `A step's output may have ${OUTPUT_LIMIT} bytes. Put it into an artifact, and name that.`,
    );
  return output;
}

async function shaped(context: ApiContext, step: Step, given: Json | undefined): Promise<Json> {
  const asked = JsonObject.safeParse(step.input).data ?? {};
  if (step.kind === "agent") return asked.providers === undefined ? ofAgent(given, asked.schema) : ofPanel(step, given);
  const output = step.kind === "shell" ? ofCommand(given) : (given ?? null);
  return fitted(await schemaOf(context, step), output);
}

function ofAgent(given: Json | undefined, schema: Json | undefined): Json {
  const none = { sessionId: "", usage: {}, filesChanged: [], permissionDenials: [] };
  if (schema !== undefined) {
    const data = fitted(schema, given ?? null);
    return { text: JSON.stringify(data), data, ...none };
  }
  const whole = JsonObject.safeParse(given).data;
  if (typeof whole?.text === "string") return { ...none, ...whole };
  const text = typeof given === "string" ? given : given === undefined || given === null ? "" : JSON.stringify(given);
  return { text, ...none };
}

/** What came of several agents has a shape by their names. */
function ofPanel({ step_id }: Step, given: Json | undefined): Json {
  if (JsonObject.safeParse(given).success) return given as Json;
  const message = `${step_id} asks several agents: its output is an object, as the run's code expects it`;
  throw new InvalidError(`output: ${message}.`, [{ path: "output", message }]);
}

function ofCommand(given: Json | undefined): Json {
  const none = { exitCode: 0, stdout: "", stderr: "" };
  if (given === undefined || given === null) return none;
  if (typeof given === "string") return { ...none, stdout: given };
  return fitted(COMMAND, { ...none, ...(JsonObject.safeParse(given).data ?? { given }) });
}

const COMMAND: Json = {
  type: "object",
  properties: { exitCode: { type: "integer", minimum: 0 }, stdout: { type: "string" }, stderr: { type: "string" } },
  additionalProperties: false,
};

function fitted(schema: Json | undefined, output: Json): Json {
  if (schema === undefined) return output;
  const checked = checkBySchema(schema, output, "output");
  if (checked.ok) return checked.value;
  throw new InvalidError(checked.problems.map(({ path, message }) => `${path} ${message}`).join("; "), checked.problems);
}

/** What a plan says of the step's output. */
async function schemaOf({ db }: ApiContext, { run_id, step_id }: Step): Promise<Json | undefined> {
  const { header } = await getRunState(db, run_id);
  const program = await getProgram(db, header.workflow_id, header.workflow_revision);
  if (program?.kind !== "plan") return undefined;
  const { steps, on_failure = [], finally: last = [] } = program.plan;
  return [...steps, ...on_failure, ...last].find(({ key }: PlanStep) => key === step_id)?.output_schema;
}
