import { z } from "zod";
import type { Json } from "./json.js";

/** What agents have used, their lost workers' part included. */
export const Usage = z.object({
  input_tokens: z.int(),
  output_tokens: z.int(),
  cache_read_input_tokens: z.int(),
  cache_creation_input_tokens: z.int(),
  /** Of those that tell it; null when none does. */
  cost_usd: z.number().nullable(),
  /** Answers of the model. */
  turns: z.int(),
});
export type Usage = z.infer<typeof Usage>;

/** The usage of several sessions together; null when none of them has told any. */
export function sumUsage(all: readonly (Json | null)[]): Usage | null {
  const told = all.flatMap((usage) => Usage.safeParse(usage).data ?? []);
  const [first, ...others] = told;
  if (!first) return null;
  return others.reduce(
    (sum, each) => ({
      input_tokens: sum.input_tokens + each.input_tokens,
      output_tokens: sum.output_tokens + each.output_tokens,
      cache_read_input_tokens: sum.cache_read_input_tokens + each.cache_read_input_tokens,
      cache_creation_input_tokens: sum.cache_creation_input_tokens + each.cache_creation_input_tokens,
      cost_usd: sum.cost_usd === null && each.cost_usd === null ? null : dollars((sum.cost_usd ?? 0) + (each.cost_usd ?? 0)),
      turns: sum.turns + each.turns,
    }),
    first,
  );
}

/** Without what floating numbers add. */
function dollars(sum: number): number {
  return Math.round(sum * 1e9) / 1e9;
}
