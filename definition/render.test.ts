import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../contract/json.js";
import type { Ref } from "../contract/plan.js";
import { RenderError, render } from "./render.js";
import type { Scope } from "./scope.js";
import { parseTemplate } from "./template.js";

const scope: Scope = {
  input: { title: "Fix it", tags: ["a", "b"], n: 2, nested: { deep: null } },
  context: { title: "of the run", extra: 1 },
  steps: {
    plan: { files: ["x.ts"], text: "the plan" },
    told: "just text",
    "has-result": { result: "its own", output: { x: 1 } },
    empty: null,
    scan: { result: "r", text: 'Found:\n{"text": "t", "issues": [{"line": 7}]}', sessionId: "s1", filesChanged: [] },
    typed: { result: { level: "high" }, text: "", data: { level: "high" }, sessionId: "s2", filesChanged: [] },
  },
  vars: { branch: "main", told: "assigned", analysis: { text: '{"fix": "x"}', sessionId: "s3" } },
  run: { id: "r1", name: "release", iteration: 1 },
  item: { name: "one" },
  index: 0,
  names: ["item", "vars", "steps", "context", "input"],
};
const at = (...ref: Ref) => render({ ref }, scope);

describe("a reference", () => {
  test("keeps the type of what it finds", () => {
    expect(at("input", "tags")).toEqual(["a", "b"]);
    expect(at("input", "n")).toBe(2);
    expect(at("input", "nested", "deep")).toBe(null);
    expect(at("input")).toEqual(scope.input);
  });

  test("to the context finds the input first", () => {
    expect(at("context", "title")).toBe("Fix it");
    expect(at("context", "extra")).toBe(1);
    expect(render({ ref: ["context", "title"] }, { ...scope, input: "no object" })).toBe("of the run");
  });

  test("to a step's result or output is all that the step gave", () => {
    expect(at("steps", "told", "result")).toBe("just text");
    expect(at("steps", "plan", "output", "files", 0)).toBe("x.ts");
    expect(at("steps", "plan", "files")).toEqual(["x.ts"]);
    expect(at("steps", "empty", "result")).toBe(null);
  });

  test("to a step's result is its own result, where it has one", () => {
    expect(at("steps", "has-result", "result")).toBe("its own");
    expect(at("steps", "has-result", "output", "x")).toBe(1);
  });

  test("by a bare name finds the first that owns it", () => {
    expect(at("name", "told")).toBe("assigned");
    expect(at("name", "plan", "result", "text")).toBe("the plan");
    expect(at("name", "name")).toBe("one");
    expect(at("name", "title")).toBe("Fix it");
    expect(render({ ref: ["name", "told"] }, { ...scope, names: ["steps"] })).toBe("just text");
  });

  test("to an agent's step finds the fields of its answer, after those of the output itself", () => {
    expect(at("steps", "scan", "issues", 0, "line")).toBe(7);
    expect(at("steps", "scan", "output", "issues", 0, "line")).toBe(7);
    expect(at("steps", "scan", "text")).toMatch(/^Found/);
    expect(at("name", "typed", "level")).toBe("high");
    expect(at("vars", "analysis", "fix")).toBe("x");
    expect(() => at("steps", "scan", "nothing")).toThrow(RenderError);
    expect(() => at("steps", "plan", "data")).toThrow(RenderError);
  });

  test("finds nothing that is inherited", () => {
    expect(() => at("name", "constructor")).toThrow(RenderError);
    expect(() => at("steps", "__proto__")).toThrow(RenderError);
    expect(() => at("steps", "toString", "result")).toThrow(RenderError);
  });
});

describe("a text", () => {
  test("has texts as they are and everything else as JSON", () => {
    const text: (string | Ref)[] = [["name", "branch"], " ", ["input", "n"], " ", ["input", "tags"], " ", ["input", "nested"]];
    expect(render({ text }, scope)).toBe('main 2 ["a","b"] {"deep":null}');
  });

  test("has a value with what looks like a pattern or a reference in it as it is", () => {
    const input = { x: "cost $& and $1 {{ n }}" };
    expect(render({ text: ["<", ["input", "x"], ">"] }, { ...scope, input })).toBe("<cost $& and $1 {{ n }}>");
  });
});

test("lists and maps are rendered through and through", () => {
  const map = { a: { list: [{ ref: ["input", "n"] as Ref }, { literal: [1] }] }, b: { text: ["v", ["input", "n"] as Ref] } };
  expect(render({ map }, scope)).toEqual({ a: [2, [1]], b: "v2" });
});

test.each<[Ref, string]>([
  [["input", "titel"], '"input.titel" is not there: "input" has no "titel". Did you mean "title"?'],
  [["input", "tags", 5], '"input.tags[5]" is not there: "input.tags" is a list of 2, and has no [5].'],
  [
    ["steps", "plan", "files", 0, "name"],
    '"steps.plan.files[0].name" is not there: "steps.plan.files[0]" is a text, and has no "name".',
  ],
  [["steps", "plna", "files"], '"steps.plna.files" is not there: "steps" has no "plna". Did you mean "plan"?'],
  [["input", "nested", "deep", "x"], '"input.nested.deep.x" is not there: "input.nested.deep" is null, and has no "x".'],
  [
    ["name", "brunch"],
    '"brunch" is not there: nothing is called "brunch" in item, vars, steps, context, input. Did you mean "branch"?',
  ],
  [["name", "plan", "result", "txt"], '"plan.result.txt" is not there: "plan.result" has no "txt". Did you mean "text"?'],
])("a reference that finds nothing says what is missing: %j", (ref, message) => {
  expect(() => at(...ref)).toThrow(expect.objectContaining({ type: "missing_value", message }));
});

test("outside of a for-each there is no item", () => {
  const { item: _item, index: _index, ...outside } = scope;
  expect(() => render({ ref: ["item", "x"] }, outside)).toThrow('"item.x" is not there: there is no "item" here.');
  expect(() => render({ ref: ["index"] }, outside)).toThrow('"index" is not there: there is no "index" here.');
});

describe("a template measured elsewhere", () => {
  interface Table {
    context: JsonObject;
    cases: { template: string; result: string }[];
  }
  const table = JSON.parse(readFileSync(new URL("../test/data/dag/render-prompt.json", import.meta.url), "utf8")) as Table;
  /** Where the original wrote the word `undefined`, left the reference in the text, or changed the value. */
  const BETTER: Record<string, Json | { refused: string }> = {
    "{{missing}}": { refused: 'nothing is called "missing"' },
    "a{{missing}}b": { refused: 'nothing is called "missing"' },
    "{{parse-changes.missing}}": { refused: '"parse-changes" has no "missing"' },
    "{{name.length}}": { refused: '"name" is a text' },
    "{{o.arr[1].x}}": "2",
    "{{dollar}}": "cost $& and $1",
    "{{{name}}}": "{Ann}",
    "{{#if name}}x{{/if}}": { refused: '"#" does not belong there' },
    "{{name|upper}}": { refused: '"|" does not belong there' },
    "{{}}": { refused: "names nothing" },
    "{{ o . a }}": { refused: "white space" },
    "{{a+b}}": { refused: '"+" does not belong there' },
  };

  test.each(table.cases)("$template", ({ template, result }) => {
    const expected = BETTER[template] ?? result;
    if (typeof expected === "string") expect(rendered(template)).toBe(expected);
    else expect(() => rendered(template)).toThrow((expected as { refused: string }).refused);
  });

  function rendered(template: string): string {
    const { value, problems } = parseTemplate(template, { marks: ["{{"], toRef: (path) => ["name", ...path] });
    if (problems[0]) throw new Error(problems[0].message);
    const text = "ref" in value ? { text: [value.ref] } : value;
    return String(render(text, { ...scope, context: table.context, input: {}, names: ["context"] }));
  }
});
