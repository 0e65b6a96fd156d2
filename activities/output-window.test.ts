import { expect, test } from "vitest";
import { excerptWindow, OutputWindow } from "./output-window.js";

test("keeps a text that fits as it is", () => {
  expect(windowOf(["ab", "cd", "efgh"], 4, 4).toString()).toBe("abcdefgh");
});

test("keeps head and tail of a longer one, and counts what is between", () => {
  expect(windowOf(["abc", "defgh", "é", "ij", "klm"], 4, 4).toString()).toBe("abcd\n… 7 bytes left out …\njklm");
});

test("never cuts a character in two", () => {
  expect(windowOf(["abc😀", "xx", "😀bcd"], 4, 4).toString()).toMatch(/^abc\n… .* bytes left out …\n(😀bcd|bcd)$/u);
  expect(windowOf(["abc😀", "xx", "😀bcd"], 4, 4).toString()).not.toMatch(/\p{Surrogate}/u);
});

test("gives less when it would need too many bytes", () => {
  const window = excerptWindow(16_000);
  window.push("\u0001".repeat(100_000));

  const text = window.within(30_000);
  expect(Buffer.byteLength(JSON.stringify(text))).toBeLessThanOrEqual(30_000);
  expect(text).toMatch(/9\d,\d{3} bytes left out/);
});

test("holds little, whatever it is given", () => {
  const window = new OutputWindow(1000, 1000);
  for (let i = 0; i < 100_000; i++) window.push("0123456789");

  expect(window.toString()).toContain("998,000 bytes left out");
});

function windowOf(pieces: string[], head: number, tail: number): OutputWindow {
  const window = new OutputWindow(head, tail);
  for (const piece of pieces) window.push(piece);
  return window;
}
