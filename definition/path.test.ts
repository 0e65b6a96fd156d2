import fc from "fast-check";
import { expect, test } from "vitest";
import { lookUp, type Path, parsePath, showPath } from "./path.js";

test.each<[string, Path]>([
  ["a", ["a"]],
  ["steps.build-it.files[0].name", ["steps", "build-it", "files", 0, "name"]],
  ["o.arr.1.x", ["o", "arr", "1", "x"]],
  ['input["any text. {{ }} \\"quoted\\""]', ["input", 'any text. {{ }} "quoted"']],
  ["input['it\\'s']", ["input", "it's"]],
  ["größe.日本_1", ["größe", "日本_1"]],
  ['a[""]', ["a", ""]],
])("%s is a path", (text, path) => {
  expect(parsePath(text)).toEqual({ path });
});

test.each([
  ["", 0, "nothing is named"],
  ["a.", 2, "a name is missing at the end"],
  [".a", 0, '"." does not belong there'],
  ["a..b", 2, '"." does not belong there'],
  ["a b", 1, "white space"],
  ["a.b | upper", 3, "white space"],
  ["VAR:-x", 3, '":" does not belong there'],
  ["f()", 1, '"(" does not belong there'],
  ["a[-1]", 1, "neither an index nor a quoted text"],
  ["a[b]", 1, "neither an index nor a quoted text"],
  ["a[01]", 1, "neither an index nor a quoted text"],
  ["a[0]b", 4, '"b" does not belong there'],
  ["a😀", 1, '"😀" does not belong there'],
  ["constructor.constructor('return process')()", 23, '"(" does not belong there'],
])("%s is none", (text, at, problem) => {
  expect(parsePath(text)).toEqual({ problem: expect.stringContaining(problem), at });
});

test("a path is written as it is read", () => {
  const part = fc.oneof(fc.string({ unit: "binary" }), fc.nat(), fc.constantFrom("a", "a-b", "0", "length", "it's", '"', "\\"));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), (path) => {
      expect(parsePath(showPath(path))).toEqual({ path });
    }),
  );
});

test("reading any text ends, with a path or a place in the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const parsed = parsePath(text);
      if ("problem" in parsed) expect(parsed.at).toBeLessThanOrEqual(text.length);
      else expect(parsePath(showPath(parsed.path))).toEqual(parsed);
    }),
  );
});

test("looking up finds own properties, items and the length of lists", () => {
  const root = JSON.parse('{"a":{"b":[1,{"x":null}]},"__proto__":{"own":1},"0":"zero"}');

  expect(lookUp(root, ["a", "b", 0])).toBe(1);
  expect(lookUp(root, ["a", "b", "1", "x"])).toBe(null);
  expect(lookUp(root, ["a", "b", "length"])).toBe(2);
  expect(lookUp(root, ["__proto__", "own"])).toBe(1);
  expect(lookUp(root, [0])).toBe("zero");
  expect(lookUp(root, [])).toBe(root);
});

test.each<[string, Path]>([
  ["what is inherited", ["constructor"]],
  ["a prototype", ["a", "__proto__"]],
  ["a method", ["a", "b", "map"]],
  ["a property of a text", ["t", "length"]],
  ["a letter of a text", ["t", 0]],
  ["an item past the end", ["a", "b", 2]],
  ["an index written with a zero before it", ["a", "b", "00"]],
  ["anything below null", ["n", "x"]],
])("looking up does not find %s", (_, path) => {
  expect(lookUp({ a: { b: [1, 2] }, t: "text", n: null }, path)).toBeUndefined();
});
