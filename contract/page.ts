import { z } from "zod";

export const DEFAULT_LIMIT = 20;
export const MAX_LIMIT = 100;

export const Page = z.object({
  limit: z.int(),
  number: z.int().nullable(),
  total: z.int(),
  next_cursor: z.string().nullable(),
});
export type Page = z.infer<typeof Page>;

/** A question for one page of a list, newest first. */
export interface PageQuery {
  limit: number;
  /** From 1; not together with `cursor`. */
  page?: number | undefined;
  cursor?: string | undefined;
}
