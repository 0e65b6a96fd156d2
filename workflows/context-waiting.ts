import zod from "zod";
import type { Json } from "../contract/json.js";
import { StepFailed } from "../sdk/step-failed.js";
import type { ApproveOptions, ChildOptions, WaitForEventOptions } from "../sdk/waiting.js";
import { approve } from "./approval.js";
import { asJson } from "./as-json.js";
import { defined } from "./call.js";
import { child } from "./child.js";
import type { AnyContext } from "./context.js";
import type { Engine } from "./engine.js";
import { millisecondsOf } from "./step-options.js";
import { waitForEvent } from "./wait-for-event.js";

/** The words of `ctx` that wait for somebody else. */
export function waitingContext(engine: Engine): Pick<AnyContext, "approve" | "waitForEvent" | "child"> {
  return {
    waitForEvent: wait as AnyContext["waitForEvent"], // what comes is for the author to know
    child: begin as AnyContext["child"],
    approve: ask as AnyContext["approve"], // the fields' types are the declaration's
  };

  async function ask(name: string, { message, fields, deadline, default: answer, ...given }: ApproveOptions) {
    const { approvers, required, rejections, remindEvery, ...options } = given;
    const asked = {
      message,
      ...defined({ fields: schemaOf(name, fields), deadlineMs: durationOf(name, "deadline", deadline), default: answer }),
      ...defined({ approvers, required, rejections, remindEveryMs: durationOf(name, "remindEvery", remindEvery) }),
    };
    return approve(engine, name, asked, options);
  }

  async function begin(workflow: string, input: unknown = {}, options: ChildOptions = {}) {
    const { key, runName, workspace, baseBranch, ...rest } = options;
    const start = { workflow, input: asJson(input, `the input of ${workflow}`), ...defined({ runName, workspace, baseBranch }) };
    return child(engine, key ?? workflow, start, rest);
  }

  async function wait(event: string, { name, deadline, ...options }: WaitForEventOptions = {}) {
    const wanted = { event, ...defined({ deadlineMs: durationOf(name ?? event, "deadline", deadline) }) };
    return waitForEvent(engine, name ?? event, wanted, { ...options, ...defined({ name }) });
  }
}

/** As JSON schema, whatever the author has it as: one that nobody could fill in must not be waited for. */
function schemaOf(key: string, fields: ApproveOptions["fields"]): Json | undefined {
  if (fields === undefined) return undefined;
  const schema = isZod(fields) ? zod.toJSONSchema(fields, { io: "input", unrepresentable: "any" }) : fields;
  try {
    zod.fromJSONSchema(schema); // throws for what is no schema
  } catch (error) {
    throw new StepFailed(key, "invalid_input", `\`fields\` of "${key}" is no JSON schema: ${(error as Error).message}`);
  }
  return schema as Json;
}

function isZod(schema: NonNullable<ApproveOptions["fields"]>): schema is zod.ZodType {
  return "_zod" in schema;
}

function durationOf(key: string, what: string, duration: number | string | undefined): number | undefined {
  return duration === undefined ? undefined : millisecondsOf(key, what, duration);
}
