import { expect, test } from "vitest";
import type { Json } from "./json.js";
import { differingPaths } from "./json-difference.js";

test.each<[string, Json, Json, string[]]>([
  ["the same, in another order", { a: 1, b: [true, null] }, { b: [true, null], a: 1 }, []],
  ["a value deep within", { a: { b: [1, { c: "x" }] } }, { a: { b: [1, { c: "y" }] } }, ["a.b[1].c"]],
  ["what only one has", { a: 1, list: [1] }, { b: 1, list: [1, 2] }, ["a", "list[1]", "b"]],
  ["another type", { a: {} }, { a: [] }, ["a"]],
  ["null and nothing", { a: null }, {}, ["a"]],
  ["a name that objects have of themselves", { constructor: 1 }, {}, ["constructor"]],
  ["plain values", "one", "two", [""]],
])("finds %s", (_what, a, b, paths) => {
  expect(differingPaths(a, b)).toEqual(paths);
});

test("stops when it has found as many as asked for", () => {
  expect(differingPaths([1, 2, 3], [4, 5, 6], 2)).toEqual(["[0]", "[1]"]);
});
