import { expect, test } from "vitest";
import { sumUsage } from "./usage.js";

const used = (cost_usd: number | null) => ({
  input_tokens: 10,
  output_tokens: 2,
  cache_read_input_tokens: 1,
  cache_creation_input_tokens: 0,
  cost_usd,
  turns: 1,
  model: "large",
});

test("usage is added up; costs are those of the sessions that tell any", () => {
  expect(sumUsage([used(0.1), null, used(0.2), used(null)])).toEqual({
    input_tokens: 30,
    output_tokens: 6,
    cache_read_input_tokens: 3,
    cache_creation_input_tokens: 0,
    cost_usd: 0.3,
    turns: 3,
  });
});

test("no cost is not a cost of 0, and no usage not one of nothing", () => {
  expect(sumUsage([used(null), used(null)])).toMatchObject({ turns: 2, cost_usd: null });
  expect(sumUsage([null])).toBeNull();
});
