import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { LogChunk } from "../contract/log.js";
import { LogStream } from "./log-stream.js";

let count = 0;

test("what comes close together goes out together, stream by stream, within a tenth of a second", async () => {
  const { log, chunks } = stream();
  log.write("stdout", "a");
  log.write("stdout", "b");
  log.write("stderr", "c");
  log.write("stdout", "d");
  expect(chunks).toEqual([]);
  await sleep(150);

  expect(chunks.map(({ stream, text, offset }) => [stream, text, offset])).toEqual([
    ["stdout", "ab", 0],
    ["stderr", "c", 2],
    ["stdout", "d", 3],
  ]);
});

test("much goes out at once", () => {
  const { log, chunks } = stream();
  log.write("stdout", "x".repeat(40_000));

  expect(chunks).toHaveLength(1);
});

test("of very much the head is written as it comes, the tail at the end, and between them how much was left out", () => {
  const { log, chunks } = stream();
  for (let i = 0; i < 10_000; i++) log.write("stdout", `${String(i).padStart(999, " ")}\n`);
  const before = chunks.reduce((sum, { text }) => sum + text.length, 0);
  log.end();

  expect(before).toBeGreaterThan(480_000);
  expect(before).toBeLessThanOrEqual(524_288);
  const text = chunks.map((chunk) => chunk.text).join("");
  expect(text.length).toBeLessThan(700_000);
  expect(text).toMatch(/\n… 9,3\d\d,\d{3} bytes left out …\n/);
  expect(text.endsWith("9999\n")).toBe(true);
  expect(chunks.at(-1)?.offset).toBe(text.length - (chunks.at(-1)?.text.length ?? 0));
});

test("operations of one step and attempt count on; another attempt begins at 0", () => {
  const place = { run_id: "run_streams", step_id: `run_streams-${++count}`, attempt: 1 };
  const chunks: LogChunk[] = [];
  for (const attempt of [1, 1, 2]) {
    const log = new LogStream({ append: async (more) => void chunks.push(...more) }, { ...place, attempt });
    log.write("log", "four");
    log.end();
  }

  expect(chunks.map(({ offset }) => offset)).toEqual([0, 4, 0]);
});

function stream() {
  const chunks: LogChunk[] = [];
  const place = { run_id: "run_streams", step_id: `run_streams-${++count}`, attempt: 1 };
  return { chunks, log: new LogStream({ append: async (more) => void chunks.push(...more) }, place) };
}
