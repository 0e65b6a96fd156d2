import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Spare } from "./spare.js";

/** Than the next one is waited with. */
const LONGER = 700;

let started: { alive: boolean }[];
let spare: Spare<{ alive: boolean }>;

beforeEach(() => {
  started = [];
  spare = new Spare(() => {
    started.push({ alive: true });
    return started.at(-1) as { alive: boolean };
  });
});

afterEach(() => spare.stop());

test("nothing is started before something is taken", async () => {
  await sleep(LONGER);
  expect(started).toHaveLength(0);
});

test("once one was taken, one more waits for the next who asks", async () => {
  const first = spare.take();
  expect(started).toEqual([first]);

  await expect.poll(() => started.length, { timeout: 10_000 }).toBe(2);
  await sleep(LONGER);
  expect(started).toHaveLength(2);
  expect(spare.take()).toBe(started[1]);
  expect(started).toHaveLength(2);
});

test("who asks before one waits has one started", () => {
  expect(spare.take()).not.toBe(spare.take());
  expect(started).toHaveLength(2);
});

test("one that died while it waited is given to nobody", async () => {
  spare.take();
  await expect.poll(() => started.length, { timeout: 10_000 }).toBe(2);
  for (const each of started) each.alive = false;

  expect(spare.take().alive).toBe(true);
  expect(started).toHaveLength(3);
});

test("none is started after the stop", async () => {
  spare.take();
  spare.stop();
  await sleep(LONGER);

  expect(started).toHaveLength(1);
});
