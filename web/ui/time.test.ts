import { expect, test } from "vitest";
import { ago, duration } from "./time.js";

test.each([
  [-5, "0.0 s"],
  [430, "0.4 s"],
  [12_400, "12 s"],
  [185_000, "3 min 5 s"],
  [7_800_000, "2 h 10 min"],
  [356_400_000, "4 d 3 h"],
])("%d ms are %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  [10, "just now"],
  [300, "5 min ago"],
  [7_200, "2 h ago"],
  [259_200, "3 d ago"],
])("%d s before is %s", (s, text) => {
  const at = "2026-01-01T12:00:00.000Z";
  expect(ago(at, Date.parse(at) + s * 1_000)).toBe(text);
});
