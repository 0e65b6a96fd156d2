import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { gather } from "./gather.js";

test("answers together what is asked at the same moment, each its own", async () => {
  const { double, asked } = doubling();

  expect(await Promise.all([double(1), double(2), double(3)])).toEqual([2, 4, 6]);
  expect(asked).toEqual([[1, 2, 3]]);
});

test("answers together what was asked while others were being answered", async () => {
  const { double, asked } = doubling();
  const first = double(1);
  await turn();
  const later = [double(2), double(3)];

  expect(await Promise.all([first, ...later])).toEqual([2, 4, 6]);
  expect(asked).toEqual([[1], [2, 3]]);
});

test("asks no more at once than may be", async () => {
  const { double, asked } = doubling();
  await Promise.all([1, 2, 3, 4, 5, 6, 7].map(double));

  expect(asked).toEqual([[1, 2, 3], [4, 5, 6], [7]]);
});

test("fails for those who were asked together, and goes on with the next", async () => {
  const { double } = doubling();
  const failing = Promise.allSettled([double(1), double(-1)]);
  await turn();
  const next = double(2);

  expect((await failing).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await next).toBe(4);
});

function doubling() {
  const asked: number[][] = [];
  const double = gather<number, number>(3, async (numbers) => {
    asked.push(numbers);
    await turn();
    if (numbers.includes(-1)) throw new Error("no such number");
    return numbers.map((number) => number * 2);
  });
  return { double, asked };
}
