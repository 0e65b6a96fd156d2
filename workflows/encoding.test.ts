import { decode as theirDecode, encode as theirEncode } from "@temporalio/common/lib/encoding.js";
import { expect, test } from "vitest";
import { decode, encode } from "./encoding.js";

const texts = [
  "",
  "plain",
  "ä€😀",
  "\uFEFFwith a mark",
  JSON.stringify({ lone: "\uD800" }),
  "x".repeat(100_000),
  "😀".repeat(5_000),
];

test.each(texts.map((text) => [text.slice(0, 20), text]))(
  "%j is the same bytes, and the same text again, as with Temporal's own encoding",
  (_, text) => {
    const bytes = encode(text);
    expect(Buffer.from(bytes).equals(Buffer.from(theirEncode(text)))).toBe(true);
    expect(decode(bytes)).toBe(text);
    expect(theirDecode(bytes)).toBe(text);
  },
);
