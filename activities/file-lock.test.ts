import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "./file-lock.js";
import { thisProcess } from "./process-owner.js";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longhaul-lock-"));
  file = join(folder, "deep/a.lock");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("one works at a time, in order, and a failure stands in nobody's way", async () => {
  const order: string[] = [];
  const work = (name: string, fails = false) =>
    withLock(file, async () => {
      order.push(`${name} in`);
      await sleep(20);
      order.push(`${name} out`);
      if (fails) throw new Error(name);
    });
  const done = await Promise.allSettled([work("a"), work("b", true), work("c")]);
  expect(order).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
  expect(done.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(readdirSync(join(folder, "deep"))).toEqual([]);
});

test("what a dead process holds is taken over, what a living one holds is waited for", async () => {
  await withLock(file, async () => {});
  const { pid } = spawnSync("true");
  writeFileSync(file, JSON.stringify({ ...thisProcess(), pid, started: "1" }));
  expect(await withLock(file, async () => "taken over")).toBe("taken over");

  writeFileSync(file, JSON.stringify(thisProcess()));
  const waiting = withLock(file, async () => "at last");
  expect(await Promise.race([waiting, sleep(150, "waits")])).toBe("waits");
  rmSync(file);
  expect(await waiting).toBe("at last");
});
