import { expect, test } from "vitest";
import { ago, duration, parseDuration } from "./times.js";

const now = Date.parse("2025-01-25T10:00:00.000Z");
const before = (seconds: number) => new Date(now - seconds * 1000).toISOString();

test.each([
  [0, "0s ago"],
  [59, "59s ago"],
  [60, "1m ago"],
  [7_199, "1h ago"],
  [86_400 * 3, "3d ago"],
  [-5, "0s ago"],
])("%i seconds ago is %s", (seconds, text) => {
  expect(ago(before(seconds), now)).toBe(text);
});

test.each([
  [0, "0ms"],
  [999, "999ms"],
  [1_000, "1.0s"],
  [59_999, "59.9s"],
  [60_000, "1m"],
  [200_000, "3m 20s"],
  [7_500_000, "2h 5m"],
  [97_200_000, "1d 3h"],
])("%i milliseconds are %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  ["90", 90_000],
  ["1.5s", 1_500],
  ["15m", 900_000],
  ["2h", 7_200_000],
  ["250ms", 250],
  ["soon", undefined],
  ["-1s", undefined],
])("%s is read as %s milliseconds", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test("what did not happen has no time", () => {
  expect([ago(null), duration(null)]).toEqual(["-", "-"]);
});
