import { z } from "zod";
import { Time } from "./time.js";

/** A secret's name is that of the environment variable in which steps find its value. */
export const SecretName = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]{0,127}$/, "is no name of a secret: capital letters, digits and _, at most 128, no digit first")
  .refine((name) => !name.startsWith("LONGHAUL_"), "names a setting of Longhaul's own");

/** Those of the project's that a step's processes get. */
export const SecretNames = z.array(SecretName).min(1).max(100);

/** Bytes of a value; an environment variable holds no more than four times that. */
const MAX_BYTES = 32 * 1024;
/** Nothing shorter is hidden: half of every text would be. */
export const LEAST_HIDDEN = 4;
/** Shorter ones may well be a part of common words. */
const SHORT = 8;

/** What is given to a step, character for character. */
export const SecretValue = z
  .string()
  .min(1, "is empty: remove the secret instead")
  .refine((value) => new TextEncoder().encode(value).length <= MAX_BYTES, `has more than ${MAX_BYTES} bytes`);

/** That a project has a secret, never which. */
export const Secret = z.object({ name: SecretName, updated_at: Time });
export type Secret = z.infer<typeof Secret>;

/** What is answered to who has set one. */
export const KeptSecret = Secret.extend({
  /** What of it will not be hidden. */
  warnings: z.array(z.string()),
});
export type KeptSecret = z.infer<typeof KeptSecret>;

/** What whoever sets a value should know: how far it will be hidden in logs and rows. */
export function warningsOf(value: string): string[] {
  if (value.length < LEAST_HIDDEN) {
    return [`It has fewer than ${LEAST_HIDDEN} characters and is not hidden in what steps print and record.`];
  }
  if (value.length < SHORT) {
    return [`It is short: wherever these ${value.length} characters stand in what steps print and record, they are hidden.`];
  }
  const lines = linesOf(value);
  if (lines.length < 2) return [];
  const short = lines.filter((line) => line.length < LEAST_HIDDEN).length;
  const left =
    short === 0
      ? ""
      : ` ${short} of them ${short === 1 ? "has" : "have"} fewer than ${LEAST_HIDDEN} characters and stay as they are.`;
  return [`It has ${lines.length} lines; each is hidden by itself wherever it stands.${left}`];
}

/** The lines of a value that are not empty, without what surrounds them. */
export function linesOf(value: string): string[] {
  return value
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter(Boolean);
}
