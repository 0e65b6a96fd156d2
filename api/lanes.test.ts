import { expect, test } from "vitest";
import { Lanes } from "./lanes.js";

test("so many of one name are done at once, all of them in the order in which they came, failed ones too", async () => {
  const lanes = new Lanes(2);
  let busy = 0;
  let most = 0;
  const begun: number[] = [];
  const work = (i: number) => async () => {
    begun.push(i);
    most = Math.max(most, ++busy);
    await new Promise((resolve) => setTimeout(resolve, 1));
    busy--;
    if (i % 3 === 0) throw new Error(`${i}`);
    return i;
  };

  const ends = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6].map((i) => lanes.run("run", work(i))));

  expect(ends.map((end) => (end.status === "fulfilled" ? end.value : "failed"))).toEqual([
    "failed",
    1,
    2,
    "failed",
    4,
    5,
    "failed",
  ]);
  expect([most, begun]).toEqual([2, [0, 1, 2, 3, 4, 5, 6]]);
});

test("names do not wait for one another", async () => {
  const lanes = new Lanes(1);
  const never = new Promise<void>(() => {});
  void lanes.run("one", () => never);

  expect(await lanes.run("other", async () => "done")).toBe("done");
});
