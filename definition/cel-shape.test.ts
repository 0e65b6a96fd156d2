import fc from "fast-check";
import { expect, test } from "vitest";
import { parseCel } from "./cel.js";
import { CelShape } from "./cel-shape.js";
import { parsePath } from "./path.js";

test("expressions that differ in texts, numbers and names behind dots have one shape", () => {
  const shape = new CelShape(`steps["build"].exit_code != 0 && input.name == 'it is'`).text;

  expect(new CelShape(`steps["test-2"].code != 12345 && input.title == ''`).text).toBe(shape);
  expect(new CelShape(`steps.build.exit_code != 0 && input.name == 'it is'`).text).not.toBe(shape);
  expect(new CelShape(`input["build"].exit_code != 0 && input.name == 'it is'`).text).not.toBe(shape);
});

test.each([
  String.raw`input["a\"b"] == 1`,
  String.raw`input[r"a\"] == 1`,
  `input["""a"b"""] == 1`,
  "input.a // input.b",
  "input[0x1F] == 1",
  "input._1 == input.a",
  "input[12345678901234567] == 1",
])("is parsed as it is, where texts, numbers and names may be others than they seem: %s", (expression) => {
  expect(new CelShape(expression).text).toBe(expression);
});

test("what is wrong is told of the expression, not of its shape", () => {
  expect(parseCel(`input.title.foo("some text") == 1`)).toEqual({ problem: 'there is no function "foo"', at: 11 });
  expect(parseCel(`input.name == "a" "b"`)).toMatchObject({ at: 18 });
  expect(parseCel("input.in == 1")).toHaveProperty("problem");
});

const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,5}$/);
const text = fc.stringMatching(/^[\w .:{}()[\]#$?-]{0,6}$/u);
const part = fc.oneof(
  name.map((field) => `.${field}`),
  text.map((key) => `["${key}"]`),
  text.map((key) => `['${key}']`),
  fc.nat(2000).map((index) => `[${index}]`),
);
const chain = fc
  .tuple(fc.constantFrom("input", "steps", "item", "x"), fc.array(part, { maxLength: 4 }))
  .map(([root, parts]) => root + parts.join(""));
const literal = fc.oneof(
  fc.nat().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => String(Math.abs(number))),
  text.map((value) => `'${value}'`),
  fc.constantFrom("true", "null", "-1", "1u", "0x1f", "1.", String.raw`"\""`, 'r"a"', "`a.b`", "[1, 2]", '{"a": 1}'),
);
const operand = fc.oneof(
  chain,
  literal,
  chain.map((list) => `${list}.exists(l, l.name == "x" && l["y"] > 3)`),
  chain.map((of) => `size(${of})`),
  chain.map((of) => `has(${of}.a)`),
);
const expression = fc
  .array(fc.tuple(fc.constantFrom(" == ", "!=", " && ", " || ", " > ", " + ", " in ", " - "), operand), { maxLength: 4 })
  .chain((others) => operand.map((first) => first + others.flat().join("")));

test("chains are found at their places, whatever of that shape was read before", () => {
  fc.assert(
    fc.property(fc.array(expression, { minLength: 1, maxLength: 5 }), (expressions) => {
      for (const one of expressions) {
        const found = parseCel(one);
        // Comments are none of a shape's: with one the expression is parsed as it is.
        const asItIs = parseCel(`${one} // as it is\n`);
        if ("problem" in found) expect(asItIs).toHaveProperty("problem");
        else expect(asItIs).toEqual(found);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the path of a plain chain is what stands there", () => {
  fc.assert(
    fc.property(chain, literal, (left, right) => {
      const found = parseCel(`${left} == ${right}`);
      if ("problem" in found) return;
      const [first] = found.chains;
      expect(first).toMatchObject({ start: 0, end: left.length });
      expect(parsePath(left)).toEqual({ path: first?.path });
    }),
  );
});
