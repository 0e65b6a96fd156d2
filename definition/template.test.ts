import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../contract/json.js";
import type { Ref, Value } from "../contract/plan.js";
import type { Path } from "./path.js";
import type { Mark } from "./placeholder.js";
import { parseTemplate, parseValue, refsOf } from "./template.js";
import { writeTemplate } from "./write-template.js";

const toRef = ([first = "", ...rest]: Path): Ref | string =>
  first === "input" ? ["input", ...rest] : first === "typo" ? 'There is no step "typo".' : ["name", first, ...rest];
const BOTH: [Mark, Mark] = ["{{", "${"];
const value = (text: string, marks: readonly Mark[] = BOTH) => {
  const parsed = parseTemplate(text, { marks, toRef });
  expect(parsed.problems).toEqual([]);
  return parsed.value;
};
const problems = (text: string) => parseTemplate(text, { marks: BOTH, toRef }).problems;

describe("a template", () => {
  test("without references is a literal", () => {
    expect(value("a $b {c} }} \\n")).toEqual({ literal: "a $b {c} }} \\n" });
    expect(value("")).toEqual({ literal: "" });
  });

  test("that is one reference keeps its type, white space inside the braces or not", () => {
    expect(value("{{ a.b }}")).toEqual({ ref: ["name", "a", "b"] });
    expect(value("${input.n}")).toEqual({ ref: ["input", "n"] });
    expect(value("{{\n\ta\n}}")).toEqual({ ref: ["name", "a"] });
  });

  test("with white space around its one reference is text", () => {
    expect(value(" {{ a }}")).toEqual({ text: [" ", ["name", "a"]] });
  });

  test("mixes text and references, of the marks of its dialect", () => {
    expect(value("{{a}} and ${b}")).toEqual({ text: [["name", "a"], " and ", ["name", "b"]] });
    expect(value("{{a}} and ${b}", ["{{"])).toEqual({ text: [["name", "a"], " and ${b}"] });
    expect(value("${HOME}", ["{{"])).toEqual({ literal: "${HOME}" });
  });

  test("reaches names with braces in them", () => {
    expect(value('{{ a["}}"] }}')).toEqual({ ref: ["name", "a", "}}"] });
    expect(value('${a["}"]}')).toEqual({ ref: ["name", "a", "}"] });
  });

  test("has a backslash before a mark that is to be text", () => {
    expect(value("\\{{ a }} \\${b}")).toEqual({ literal: "{{ a }} ${b}" });
    expect(value("C:\\\\{{ a }}")).toEqual({ text: ["C:\\", ["name", "a"]] });
    expect(value("\\\\\\{{ a }}")).toEqual({ literal: "\\{{ a }}" });
    expect(value("\\d+ \\$1 \\\\")).toEqual({ literal: "\\d+ \\$1 \\\\" });
  });

  test("may stand in braces, or after a dollar", () => {
    expect(value("{{{ a }}}")).toEqual({ text: ["{", ["name", "a"], "}"] });
    expect(value("\\\\{{{ a }}")).toEqual({ text: ["\\{", ["name", "a"]] });
    expect(value("${{ a }}")).toEqual({ text: ["$", ["name", "a"]] });
    expect(parseTemplate("${{ a }}", { marks: ["${"], toRef }).problems).toMatchObject([{ offset: 2 }]);
  });

  test.each([
    ["ab {{ a", 3, "{{ is not closed: }} is missing"],
    ["${a", 0, "${ is not closed: } is missing"],
    ["{{}}", 0, "{{}} names nothing"],
    ["x ${ }", 2, "${ } names nothing"],
    ["{{ a | upper }}", 4, "{{ a | upper }} is no reference: there is white space in it. A reference has names of letters"],
    ["${VAR:-x}", 5, '":" does not belong there'],
    ["{{#if name}}", 2, '"#" does not belong there'],
    ["{{ it's }}", 5, `"'" does not belong there`],
    ["{{constructor.constructor('return process')()}}", 25, '"(" does not belong there'],
    ["{{ typo.x }}", 0, 'There is no step "typo".'],
  ])("%s is a problem at its place", (text, offset, message) => {
    expect(problems(text)).toEqual([{ message: expect.stringContaining(message), offset }]);
  });

  test("tells all its problems at once", () => {
    expect(problems("{{ }} ${a b} {{ c").map(({ offset }) => offset)).toEqual([0, 9, 13]);
  });
});

describe("a tree of values", () => {
  test("is literal where nothing in it is a reference", () => {
    const json = { a: [1, "x", null], b: { c: true }, empty: {}, none: [] };
    expect(parseValue(json, { marks: BOTH, toRef })).toEqual({ value: { literal: json }, problems: [] });
  });

  test("keeps what is literal whole, and keys as they are", () => {
    const json = { "{{ key }}": [{ n: "${input.n}" }, { x: [1, 2] }] };
    expect(parseValue(json, { marks: BOTH, toRef }).value).toEqual({
      map: { "{{ key }}": { list: [{ map: { n: { ref: ["input", "n"] } } }, { literal: { x: [1, 2] } }] } },
    });
  });

  test("tells each problem with the way to its text", () => {
    const { problems } = parseValue({ a: ["ok", "{{"], b: "${ }" }, { marks: BOTH, toRef });
    expect(problems).toMatchObject([
      { path: ["a", 1], offset: 0 },
      { path: ["b"], offset: 0 },
    ]);
  });

  test("with a key called __proto__ is a tree like any other", () => {
    const { value } = parseValue(JSON.parse('{"__proto__":"{{ a }}"}'), { marks: BOTH, toRef });
    expect(Object.keys("map" in value ? value.map : {})).toEqual(["__proto__"]);
    expect(refsOf(value)).toEqual([["name", "a"]]);
  });

  test("lists its references in order", () => {
    const { value } = parseValue({ a: "{{ x }}", b: ["${y} {{ z }}", 1] }, { marks: BOTH, toRef });
    expect(refsOf(value)).toEqual([
      ["name", "x"],
      ["name", "y"],
      ["name", "z"],
    ]);
  });
});

describe("writing a value", () => {
  const fromRef = ([root, ...path]: Ref): Path => (root === "name" ? path : [root, ...path]);
  const part = fc.oneof(fc.constantFrom("a", "b-c", "}}", "it's", '"'), fc.nat(9));
  const ref: fc.Arbitrary<Ref> = fc
    .tuple(fc.constant<"name">("name"), fc.constantFrom("a", "b-c"), fc.array(part, { maxLength: 2 }))
    .map(([root, first, rest]) => [root, first, ...rest]);
  const text = fc
    .array(fc.constantFrom("a", " ", "\\", "{{", "${", "}}", "}", "{", "$", '"', "'", "\n"), { maxLength: 6 })
    .map((parts) => parts.join(""));
  const json = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 2 },
      text,
      fc.integer(),
      fc.constant(null),
      fc.array(tie("json"), { maxLength: 2 }),
      fc.dictionary(text, tie("json"), { maxKeys: 2 }),
    ),
  })).json;

  test.each<[Mark, Mark[]]>([
    ["{{", ["${"]],
    ["${", ["{{"]],
    ["{{", []],
    ["${", []],
  ])("with %s and reading it again gives the same value", (mark, others) => {
    const marks: [Mark, ...Mark[]] = [mark, ...others];
    const parts = fc
      .array(fc.oneof(ref, text), { maxLength: 5 })
      .map((parts): Json => writeTemplate({ text: parts }, marks, fromRef));
    const tree = fc.letrec<{ tree: Json }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 2 },
        parts,
        json,
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(text, tie("tree"), { maxKeys: 3 }),
      ),
    })).tree;
    fc.assert(
      fc.property(tree, (written) => {
        const first = parseValue(written, { marks, toRef });
        fc.pre(first.problems.length === 0);
        expect(parseValue(writeTemplate(first.value, marks, fromRef), { marks, toRef })).toEqual(first);
      }),
      { numRuns: 1000 },
    );
  });

  test("what is no reference stays what it is", () => {
    fc.assert(
      fc.property(json, (literal) => {
        const value: Value = { literal };
        expect(parseValue(writeTemplate(value, BOTH, fromRef), { marks: BOTH, toRef })).toEqual({ value, problems: [] });
      }),
    );
  });

  test("reads as people write it", () => {
    const written: Value = {
      map: { a: { text: ["Review ", ["steps", "parse-changes", "files"], "."] }, b: { ref: ["name", "x"] } },
    };
    expect(writeTemplate(written, ["{{"], fromRef)).toEqual({ a: "Review {{ steps.parse-changes.files }}.", b: "{{ x }}" });
    expect(writeTemplate({ ref: ["name", "x"] }, ["${"], fromRef)).toBe("${x}");
  });
});
