import { expect, test } from "vitest";
import { problemsOf } from "../test/support/definitions.js";

const step = (prompt: string) => `name: w\nsteps:\n  - key: a\n    prompt: ${prompt}\n`;

test.each([
  ["a plain text", "go {{ b.x }}", "4:16"],
  ["double quotes", '"go {{ b.x }}"', "4:17"],
  ["double quotes with escapes before it", '"a\\tb {{ b.x }}"', "4:19"],
  ["single quotes with a quote in them", "'it''s {{ b.x }}'", "4:20"],
  ["a literal block", "|\n      one\n\n      two {{ b.x }}", "7:11"],
  ["a folded block", ">-\n      one\n      two {{ b.x }}\n      three", "6:11"],
  ["a text of several lines", "one\n      two {{ b.x }}", "5:11"],
  ["the second of two placeholders", "'{{ input.x }} {{ b.x }}'", "4:28"],
])("the place of a placeholder in %s is told", (_, prompt, place) => {
  expect(problemsOf(step(prompt))).toEqual([expect.stringContaining(`steps[0].prompt ${place} `)]);
});

test("where a placeholder is hidden in escapes, the place of its text is told", () => {
  expect(problemsOf(step('"\\x7b{ b.x }}"'))).toEqual([expect.stringContaining("steps[0].prompt 4:13 ")]);
});

test("a text in a list of parameters has its own place", () => {
  expect(
    problemsOf("name: w\nsteps:\n  - key: a\n    tool: x.y\n    params:\n      list:\n        - ok\n        - see {{ b.x }}\n"),
  ).toEqual([expect.stringContaining("steps[0].params.list[1] 8:15 ")]);
});
