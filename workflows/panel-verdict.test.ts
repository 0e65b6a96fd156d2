import { describe, expect, test } from "vitest";
import { type PanelVoice, verdictOf } from "./panel-verdict.js";

describe("a majority", () => {
  const majority = { strategy: "majority" } as const;

  test("is more than half of all agents, those that have not answered yet included", () => {
    expect(verdictOf(majority, 4, [says("a", 1), says("b", 1)])).toBeUndefined();
    expect(verdictOf(majority, 4, [says("a", 1), says("b", 1), says("c", 1)])).toEqual({ winner: "a", agreed: ["a", "b", "c"] });
  });

  test("is there as soon as enough agree, and the first of them has the word", () => {
    expect(verdictOf(majority, 3, [says("a", 1), says("b", 2), says("c", 2)])).toEqual({ winner: "b", agreed: ["b", "c"] });
    expect(verdictOf(majority, 3, [says("c", 2), says("b", 2)])).toEqual({ winner: "c", agreed: ["c", "b"] });
  });

  test("is not there when all differ", () => {
    expect(verdictOf(majority, 3, [says("a", 1), says("b", 2), says("c", 3)])).toBeUndefined();
  });

  test.each<[string, PanelVoice["answer"], PanelVoice["answer"]]>([
    ["data, whatever the order of its keys", { text: "x", data: { a: 1, b: [2] } }, { text: "y", data: { b: [2], a: 1 } }],
    ["a text, but for the space around it", { text: " yes\n" }, { text: "yes" }],
    ["data and the object that a text ends with", { text: "", data: { a: 1 } }, { text: 'So:\n```json\n{"a": 1}\n```' }],
  ])("compares %s", (_what, one, other) => {
    expect(verdictOf(majority, 2, voices(one, other))).toMatchObject({ agreed: ["0", "1"] });
  });

  test.each<[string, PanelVoice["answer"], PanelVoice["answer"]]>([
    ["a number and the same digits", { text: "", data: 1 }, { text: "1" }],
    ["lists in another order", { text: "", data: [1, 2] }, { text: "", data: [2, 1] }],
    ["a field that is null and one that is not there", { text: "", data: { a: null } }, { text: "", data: {} }],
  ])("tells %s apart", (_what, one, other) => {
    expect(verdictOf(majority, 2, voices(one, other))).toBeUndefined();
  });

  test("may be of some fields alone", () => {
    const answers = voices({ text: "", data: { ok: true, why: "fast" } }, { text: '{"ok": true, "why": "small"}' });

    expect(verdictOf(majority, 2, answers)).toBeUndefined();
    expect(verdictOf({ ...majority, agreeOn: ["ok"] }, 2, answers)).toEqual({ winner: "0", agreed: ["0", "1"] });
  });

  test("is never one of answers that lack these fields", () => {
    expect(verdictOf({ ...majority, agreeOn: ["ok"] }, 2, voices({ text: "yes" }, { text: "yes" }))).toBeUndefined();
    expect(verdictOf({ ...majority, agreeOn: ["ok"] }, 2, voices({ text: "{}" }, { text: "{}" }))).toBeUndefined();
  });
});

test("a race is decided by the first answer", () => {
  expect(verdictOf({ strategy: "race" }, 3, [])).toBeUndefined();
  expect(verdictOf({ strategy: "race" }, 3, [says("b", 1), says("a", 2)])).toEqual({ winner: "b", agreed: ["b"] });
});

test("where all answers are needed nothing is decided", () => {
  expect(verdictOf({ strategy: "all" }, 2, [says("a", 1), says("b", 1)])).toBeUndefined();
});

function says(name: string, data: unknown): PanelVoice {
  return { name, answer: { text: "", data } };
}

function voices(...answers: PanelVoice["answer"][]): PanelVoice[] {
  return answers.map((answer, i) => ({ name: String(i), answer }));
}
