import type { Json } from "../contract/json.js";

/** Whether a value counts as something: it is there, and none of false, 0, null, "", [] and {}. */
export function isTruthy(value: Json | undefined): boolean {
  if (value === undefined || value === null) return false;
  return typeof value === "object" ? Object.keys(value).length > 0 : Boolean(value);
}
