import { z } from "zod";
import { Id } from "../contract/id.js";
import { DEFAULT_LIMIT, MAX_LIMIT } from "../contract/page.js";

/** A whole number in a query, without sign or exponent. */
export function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, `is not a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min, `is less than ${min}`).max(max, `is more than ${max}`));
}

/** A yes or no in a query. */
export const Flag = z.enum(["true", "false", "1", "0"]).transform((value) => value === "true" || value === "1");

/** One of these words, in any case. @param wrong what is said of any other. */
export function anyCase<const Word extends string>(words: readonly Word[], wrong?: string) {
  return z.preprocess((value) => (typeof value === "string" ? value.toLowerCase() : value), z.enum(words, wrong));
}

/** Several of these words, in any case, with commas between them. */
export function wordList<const Word extends string>(words: readonly Word[]) {
  return z
    .string()
    .min(1)
    .transform((text) => text.toLowerCase().split(","))
    .pipe(z.array(z.enum(words)));
}

/** How every list is asked for. */
export const pageFields = {
  limit: wholeNumber(1, MAX_LIMIT).default(DEFAULT_LIMIT),
  page: wholeNumber(1, 10_000_000).optional(),
  cursor: z.string().min(1).max(500).optional(),
};

/** `page` and `cursor` are two ways to say the same: a query has one of them. */
export const onePlace = [
  (query: { page?: number | undefined; cursor?: string | undefined }) => query.page === undefined || query.cursor === undefined,
  { path: ["cursor"], message: "cannot be given together with page" },
] satisfies [unknown, unknown];

export const ById = z.strictObject({ id: Id });
/** Of a workflow. */
export const IdOrSlug = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/, "is neither an id nor a slug") });
export const Nothing = z.strictObject({});

/** Text for a line: names and the like. */
export const Name = z.string().trim().min(1).max(200);
