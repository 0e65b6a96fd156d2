import { expect, test } from "vitest";
import { isKept, rangesOf } from "./restore.js";

test("numbers of steps are written as ranges, and found again", () => {
  const ranges = rangesOf([5, 1, 2, 3, 7, 8]);

  expect(ranges).toEqual([
    [1, 3],
    [5, 5],
    [7, 8],
  ]);
  expect([0, 1, 3, 4, 5, 6, 8, 9].filter((number) => isKept(ranges, number))).toEqual([1, 3, 5, 8]);
  expect(rangesOf([])).toEqual([]);
});
