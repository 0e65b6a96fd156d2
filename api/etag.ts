import type { Request } from "express";
import { ConflictError, InvalidError } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import type { Workflow } from "../contract/workflow.js";
import type { Answer } from "./route.js";
import { sha256 } from "./sha256.js";

/** A workflow as it is shown alone. */
export type ShownWorkflow = Workflow & { definition: Json };

/** What can be changed of a workflow, in one word: another one when any of it is. What its runs say of it does not count. */
export function etagOf({ id, revision, enabled, path, load_error, definition }: ShownWorkflow): string {
  return `"${sha256(JSON.stringify([id, revision, enabled, path, load_error, definition])).slice(0, 32)}"`;
}

/** An answer that shows a workflow, with its tag. */
export function tagged(answer: Answer): Answer {
  const { data } = answer.body as { data: ShownWorkflow }; // what the routes of workflows answer
  return { ...answer, headers: { ...answer.headers, ETag: etagOf(data) } };
}

/**
 * Whether the workflow is still what the client has seen, where it says by `If-Match` what that is.
 *
 * @throws {ConflictError} `changed`.
 */
export function checkIfMatch(req: Request, workflow: ShownWorkflow): void {
  const wanted = req.get("If-Match");
  if (wanted === undefined || wanted.trim() === "*") return;
  if (!/^\s*(?:W\/)?"[^"]*"\s*(?:,\s*(?:W\/)?"[^"]*"\s*)*$/.test(wanted)) {
    const message = "If-Match takes the ETag of an answer, in its quotes.";
    throw new InvalidError(message, [{ path: "If-Match", message }]);
  }
  const tags: string[] = wanted.match(/(?:W\/)?"[^"]*"/g) ?? [];
  if (!tags.includes(etagOf(workflow))) {
    throw new ConflictError(
      `The workflow ${workflow.name} was changed meanwhile: it is revision ${workflow.revision} now. Read it again, then change that.`,
      "changed",
    );
  }
}
