import { z } from "zod";

/** Tokens and cost in US dollars. */
export const Spent = z.object({
  input_tokens: z.number(),
  output_tokens: z.number(),
  cache_read_input_tokens: z.number(),
  cache_creation_input_tokens: z.number(),
  cost_usd: z.number(),
});
export type Spent = z.infer<typeof Spent>;

export const NOTHING: Spent = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  cost_usd: 0,
};

export function plus(a: Spent, b: Spent): Spent {
  return combined(a, b, (one, other) => one + other);
}

/** By how much a count has grown. One that is lower than it was has begun anew. */
export function grown(before: Spent, after: Spent): Spent {
  return after.output_tokens < before.output_tokens ? after : combined(after, before, (one, other) => one - other);
}

function combined(a: Spent, b: Spent, how: (one: number, other: number) => number): Spent {
  return {
    input_tokens: how(a.input_tokens, b.input_tokens),
    output_tokens: how(a.output_tokens, b.output_tokens),
    cache_read_input_tokens: how(a.cache_read_input_tokens, b.cache_read_input_tokens),
    cache_creation_input_tokens: how(a.cache_creation_input_tokens, b.cache_creation_input_tokens),
    cost_usd: how(a.cost_usd, b.cost_usd),
  };
}
