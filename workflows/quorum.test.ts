import { describe, expect, test } from "vitest";
import { type Ballot, delegated, mayAnswer, verdictOf } from "./quorum.js";

describe("what answers come to", () => {
  test.each<[string, Omit<Ballot, "given">, string, boolean | null]>([
    ["nothing yet", {}, "", null],
    ["by one who approves", {}, "+", true],
    ["by one who rejects", {}, "-", false],
    ["not by the first of two who are needed", { required: 2 }, "+", null],
    ["by both of them", { required: 2 }, "++", true],
    ["by one of them who rejects", { required: 2 }, "+-", false],
    ["not by one who rejects, where it takes two", { required: 2, rejections: 2 }, "-", null],
    ["by two who reject, where it takes two", { required: 2, rejections: 2 }, "-+-", false],
    ["by one who rejects when too few are left", { required: 2, rejections: 2, approvers: ["a", "b"] }, "-", false],
    ["not by one who rejects when enough are left", { required: 2, rejections: 2, approvers: ["a", "b", "c"] }, "-", null],
  ])("%s", (_, quorum, answers, verdict) => {
    expect(verdictOf({ ...quorum, given: given(answers) })).toBe(verdict);
  });
});

describe("who may answer", () => {
  test("is anybody once, where nobody is named, and else who is", () => {
    expect(() => mayAnswer({ given: [] }, "local", "it")).not.toThrow();
    expect(() => mayAnswer({ given: given("+") }, "a", "it")).toThrow("a has answered it already.");
    expect(() => mayAnswer({ approvers: ["a", "b"], given: [] }, "b", "it")).not.toThrow();
    expect(() => mayAnswer({ approvers: ["a", "b"], given: [] }, "c", "it")).toThrow(
      "Only a, b may answer it: c is none of them",
    );
    expect(() => mayAnswer({ approvers: ["a", "b"], given: [] }, null, "it")).toThrow("nobody is none of them");
  });

  test("changes when somebody hands it over, in their place", () => {
    expect(delegated({ approvers: ["a", "b"], given: [] }, { by: "a", to: "c" }, "it")).toEqual(["c", "b"]);
  });

  test.each<[string, Ballot, string, string, string]>([
    ["anybody may answer", { given: [] }, "a", "c", "nothing to hand over"],
    ["it is another's", { approvers: ["a", "b"], given: [] }, "c", "d", "Only a, b may answer"],
    ["they have answered", { approvers: ["a", "b"], required: 2, given: given("+") }, "a", "c", "a has answered"],
    ["the other is asked as well", { approvers: ["a", "b"], given: [] }, "a", "b", "in any case"],
    ["the other has answered", { approvers: ["x", "b"], required: 2, given: given("+") }, "b", "a", "a has answered"],
  ])("cannot be handed over when %s", (_, ballot, by, to, message) => {
    expect(() => delegated(ballot, { by, to }, "it")).toThrow(message);
  });
});

/** Answers of a, b, c, …: + approves, - rejects. */
function given(answers: string): Ballot["given"] {
  return [...answers].map((answer, i) => ({ approved: answer === "+", by: "abcdef"[i] ?? "", at: "2025-01-25T10:00:00.000Z" }));
}
