import fc from "fast-check";
import { expect, test } from "vitest";
import { Lines } from "./lines.js";

test("a place is the same whatever was asked for before", () => {
  const text = fc.array(fc.constantFrom("a", "bc", "\n", "\r\n"), { maxLength: 30 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.array(fc.nat(60)), (text, offsets) => {
      const lines = new Lines(text);
      for (const offset of offsets) {
        const before = text.slice(0, offset).split("\n");
        const beyond = Math.max(0, offset - text.length);
        expect(lines.at(offset)).toEqual({ line: before.length, column: (before.at(-1)?.length ?? 0) + beyond + 1 });
      }
    }),
  );
});
