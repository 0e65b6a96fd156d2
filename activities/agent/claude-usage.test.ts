import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testFolder } from "../../test/support/stack.js";
import { usageSince } from "./claude-usage.js";
import { NOTHING } from "./spent.js";

// A token that goes in costs 4 millionths of a dollar here, one that comes out 20.

test("of a session's count an attempt has what it grew by", () => {
  expect(used([prompt(), answer("a", 100), total(100, 20), prompt(), answer("b", 300), total(400, 40)], 1)).toMatchObject({
    input_tokens: 300,
    output_tokens: 20,
    cost_usd: dollars(300, 20),
    turns: 1,
  });
});

test("of a process that was killed its answers count, however many lines each has, at the price of the others", () => {
  const lines = [prompt(), answer("a", 100), answer("a", 100), prompt(), answer("b", 200), total(200, 20)];

  expect(used(lines)).toMatchObject({ input_tokens: 300, output_tokens: 40, cost_usd: dollars(300, 40), turns: 2 });
});

test("of one that was told to end its answers count, too, when it had counted before the last one came", () => {
  const lines = [prompt(), total(0, 0), answer("a", 100), prompt(), answer("b", 200), total(200, 20)];

  expect(used(lines)).toMatchObject({ input_tokens: 300, output_tokens: 40, cost_usd: dollars(300, 40), turns: 2 });
});

test("what it has used besides its answers counts, as helpers do, which have transcripts of their own", () => {
  expect(used([prompt(), answer("a", 100), total(900, 90)])).toMatchObject({
    input_tokens: 900,
    turns: 1,
    cost_usd: dollars(900, 90),
  });
});

test("a count that is lower than before has begun anew", () => {
  expect(used([prompt(), total(500, 50), prompt(), total(100, 10)], 1)).toMatchObject({ input_tokens: 100 });
});

test("of a copy counts what it has grown by since the original was copied", () => {
  const forkedTotal = { ...NOTHING, input_tokens: 100, output_tokens: 20, cost_usd: dollars(100, 20) };
  const lines = [prompt(), answer("a", 100), prompt(), answer("b", 200), total(300, 40)];

  expect(used(lines, 1, forkedTotal)).toMatchObject({
    input_tokens: 200,
    output_tokens: 20,
    cost_usd: dollars(200, 20),
    turns: 1,
  });
});

test("what nobody has told the price of costs an unknown sum, and not nothing", () => {
  expect(used([prompt(), answer("a", 100)])).toMatchObject({ input_tokens: 100, cost_usd: null, turns: 1, model: "large" });
});

test("what Claude Code says to itself is no prompt, and an error that it shows no answer of the model", () => {
  const said = { type: "user", promptId: "p", isMeta: true, message: { role: "user", content: "Call the tool." } };
  const shown = { type: "assistant", message: { id: "e", model: "<synthetic>", usage: { input_tokens: 0, output_tokens: 0 } } };
  const lines = [prompt(), answer("a", 100), said, answer("b", 200), shown, total(300, 40)];

  expect(used(lines)).toMatchObject({ input_tokens: 300, output_tokens: 40, turns: 2 });
});

function used(lines: object[], promptsBefore = 0, forkedTotal?: typeof NOTHING) {
  const file = join(testFolder(), "session.jsonl");
  writeFileSync(file, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n{"type":"assis`);
  return usageSince({ promptsBefore, forkedTotal }, file, undefined);
}

function prompt() {
  return { type: "user", promptId: "p", message: { role: "user", content: "Do it." } };
}

function answer(id: string, input_tokens: number) {
  return { type: "assistant", message: { id, model: "large", usage: { input_tokens, output_tokens: 20 } } };
}

/** The session's count, as a process tells it at its end. */
function total(inputTokens: number, outputTokens: number) {
  const large = { inputTokens, outputTokens, cacheReadInputTokens: 0, cacheCreationInputTokens: 0 };
  return { type: "cost-state", totalCostUSD: dollars(inputTokens, outputTokens), modelUsage: { large } };
}

function dollars(input: number, output: number): number {
  return (4 * input + 20 * output) / 1e6;
}
