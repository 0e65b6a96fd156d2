import { describe, expect, test } from "vitest";
import type { Json } from "../contract/json.js";
import { answerOf } from "./answer.js";

describe("what a step has answered", () => {
  test.each<[string, Json | undefined, Json]>([
    ["an agent's data", { text: "Done.", data: { done: true } }, { done: true }],
    ["an agent's text that is JSON", { text: '{"done": true}' }, { done: true }],
    ["JSON in a fence at the end of an agent's text", { text: 'All is well.\n\n```json\n{"done": true}\n```\n' }, { done: true }],
    ["JSON on the last line of an agent's text", { text: 'All is well.\n{"done": true}' }, { done: true }],
    ["an agent's text without JSON", { text: "Done." }, { text: "Done." }],
    ["JSON in the middle of a text, which is no answer", { text: '{"done": true}\nNo.' }, { text: '{"done": true}\nNo.' }],
    ["an output that is no agent's", { exitCode: 0, done: false }, { exitCode: 0, done: false }],
    ["no output", undefined, null],
  ])("is %s", (_what, output, answer) => {
    expect(answerOf(output)).toEqual(answer);
  });
});
