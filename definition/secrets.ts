import { SecretNames } from "../contract/secret.js";
import type { Fields } from "./fields.js";

/** `secrets`: names of the project's secrets that the step's processes find in their environment. */
export function secretsOf(fields: Fields): string[] | undefined {
  const names = fields.texts("secrets");
  const wrong = names && SecretNames.safeParse(names).error;
  for (const { path, message } of wrong?.issues ?? []) {
    const name = typeof path[0] === "number" ? names?.[path[0]] : undefined;
    fields.problem("secrets", name === undefined ? '"secrets" lists 1 to 100 names. Or leave it out.' : `"${name}" ${message}.`);
  }
  return names;
}
