import type { Json } from "../contract/json.js";
import type { Ref, Value } from "../contract/plan.js";
import { missing } from "./missing.js";
import { find, type Scope } from "./scope.js";

/** A value cannot be rendered; the message is a sentence that names the reference. */
export class RenderError extends Error {
  override readonly name = "RenderError";
  constructor(
    /** `missing_value`: nothing is there. `unfit_value`: something is there that cannot go where it is to go. */
    readonly type: "missing_value" | "unfit_value",
    message: string,
  ) {
    super(message);
  }
}

/**
 * A value with all its references looked up. In text, texts are as they are and everything else is JSON.
 *
 * @throws {RenderError} `missing_value` when a reference finds nothing
 */
export function render(value: Value, scope: Scope): Json {
  if ("literal" in value) return value.literal;
  if ("ref" in value) return demand(value.ref, scope);
  if ("list" in value) return value.list.map((item) => render(item, scope));
  if ("map" in value) return Object.fromEntries(Object.entries(value.map).map(([key, item]) => [key, render(item, scope)]));
  return value.text.map((part) => (typeof part === "string" ? part : asText(demand(part, scope)))).join("");
}

/** How a value stands in text. */
export function asText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * What a reference finds.
 *
 * @throws {RenderError} `missing_value` when it finds nothing
 */
export function demand(ref: Ref, scope: Scope): Json {
  const found = find(ref, scope);
  if (found === undefined) throw new RenderError("missing_value", missing(ref, scope));
  return found;
}
