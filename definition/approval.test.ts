import { describe, expect, test } from "vitest";
import { compile } from "./compile.js";
import { toPhases } from "./phases.js";

describe("an approval", () => {
  test("says in every dialect who may answer, how many it takes, how often they are reminded, and what a rejection does", () => {
    const people = "approvers: [ana, ben], required: 2, rejections: 1, remind_every: 4h";
    const asks = `type: approval, message: "Sure?", ${people}, on_reject: { rework: work, times: 2 }`;
    const work = {
      kind: "approval",
      ...{ approvers: ["ana", "ben"], required: 2, rejections: 1, remind_every_ms: 14_400_000 },
      on_reject: { rework: "work", times: 2 },
    };
    const dialects: [string, string][] = [
      ["phases", `steps:\n  - { id: work, type: agent, prompt: Do. }\n  - { id: sure, ${asks} }`],
      ["dag", `steps:\n  - { key: work, agent: claude, prompt: Do. }\n  - { key: sure, dependencies: [work], ${asks} }`],
      ["tools", `steps:\n  - { name: work, type: agent, prompt: Do. }\n  - { name: sure, ${asks} }`],
      ["stages", `id: x\nstages: [work, sure]\nwork: { prompt: Do. }\nsure: { ${asks} }\nloop: { max_iters: 1 }`],
    ];

    for (const [dialect, steps] of dialects) {
      const result = compile(`name: x\ndialect: ${dialect}\n${steps}`, "x.yaml");
      expect(result, dialect).toMatchObject({ ok: true, plan: { steps: [{ key: "work" }, { key: "sure", work }] } });
    }
  });

  test("is written as a definition again, all of it", () => {
    const more = `approvers: [ana, ben], required: 2, rejections: 2, remind_every: 4h, on_reject: { rework: work, times: 2 }`;
    for (const said of [more, "on_reject: continue"]) {
      const first = compile(steps(`{ id: sure, type: approval, message: "Sure?", ${said} }`), "x.yaml");
      const written = first.ok ? toPhases(first.plan) : undefined;

      expect(written?.ok && compile(written.text, "x.yaml")).toMatchObject({ ok: true, plan: first.ok && first.plan });
    }
  });

  test.each([
    ["a name that is none", "approvers: [Ana]", "approvers"],
    ["nobody", "approvers: []", "1 to 100 users"],
    ["somebody twice", "approvers: [ana, ana]", "names somebody twice"],
    ["more than there are", "approvers: [ana], required: 2", '"required" is 2, and "approvers" has 1.'],
    ["reminders that never rest", "remind_every: 10ms", "remind_every"],
    ["a word for rejections that is none", "on_reject: rework", "one of fail, continue"],
    ["work that goes back nowhere", "on_reject: { rework: wrok }", 'no step. Did you mean "work"?'],
    ["work that goes back to no agent", "on_reject: { rework: check }", "no step of a single agent"],
    ["work that goes back to what comes later", "on_reject: { rework: later }", "need not be over by then"],
    ["a key that nobody knows", "on_reject: { rework: work, retries: 2 }", "retries"],
    ["one of a list that sends work back", "for_each: [1, 2], on_reject: { rework: work }", "which work is to go back"],
  ])("with %s is a problem, at its place", (_, more, message) => {
    const result = compile(steps(`{ id: sure, type: approval, message: "Sure?", ${more} }`), "x.yaml");

    expect(result.ok || result.problems.map((problem) => problem.message).join("\n")).toContain(message);
  });

  test("at the end of a run sends no work back", () => {
    const end = `finally:\n  - { id: last, type: approval, message: "?", on_reject: { rework: work } }`;
    const result = compile(`${steps("{ id: sure, command: echo }")}\n${end}`, "x.yaml");

    expect(result).toMatchObject({
      ok: false,
      problems: [{ message: expect.stringContaining("no work can go back from there") }],
    });
  });
});

function steps(sure: string): string {
  return [
    "name: x",
    "steps:",
    "  - { id: work, type: agent, prompt: Do. }",
    "  - { id: check, type: script, command: npm test }",
    `  - ${sure}`,
    "  - { id: later, type: agent, prompt: Do. }",
  ].join("\n");
}
