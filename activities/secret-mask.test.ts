import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SecretMask } from "./secret-mask.js";

const TOKEN = 'hünter2/+<&>"\\ ?=~';
const PEM = `-----BEGIN KEY-----\n${"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".repeat(2)}\nq83vEjRWeJCrze8=\n-----END KEY-----\n`;

/** A text around it, so that three ways of base64 are met. */
const inside = (before: string, secret: string) => Buffer.from(`${before}${secret} after`);

describe("a secret is hidden", () => {
  const json = (text: string) => JSON.stringify({ text });
  test.each([
    ["as it is", `a ${TOKEN} b`],
    ["in JSON", json(`a ${TOKEN}`)],
    ["in JSON within JSON", json(json(json(TOKEN)))],
    ["in JSON without a letter beyond ASCII", json(TOKEN).replace("ü", "\\u00fc")],
    ["in JSON for web pages", json(TOKEN).replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)],
    ["in a URL", `https://host/?q=${encodeURIComponent(TOKEN)}&r=1`],
    ["in a URL, small letters", encodeURIComponent(TOKEN).replace(/%../g, (code) => code.toLowerCase())],
    ["in a form", new URLSearchParams({ q: TOKEN }).toString()],
    ["as base64", inside("", TOKEN).toString("base64")],
    ["as base64, a byte further", inside("1", TOKEN).toString("base64")],
    ["as base64, two bytes further", inside("12", TOKEN).toString("base64")],
    ["as base64 for URLs", inside("12", TOKEN).toString("base64url")],
  ])("%s", (_way, text) => {
    const hidden = new SecretMask([TOKEN]).text(text);

    expect(hidden).toContain("***");
    for (const way of [String, encodeURIComponent, (t: string) => JSON.stringify(t).slice(1, -1)]) {
      expect(hidden).not.toContain(way(TOKEN));
    }
    for (const before of ["", "1", "12"]) {
      const core = inside(before, TOKEN).toString("base64").slice(4, 20);
      expect(hidden).not.toContain(core);
      expect(hidden).not.toContain(core.replaceAll("+", "-").replaceAll("/", "_"));
    }
  });

  test("with each of its lines by itself, and as base64 in lines", () => {
    const mask = new SecretMask([PEM]);
    const wrapped = Buffer.from(PEM).toString("base64").replace(/.{76}/g, "$&\n");

    expect(mask.text(PEM)).toBe("***");
    expect(mask.text("key: q83vEjRWeJCrze8= end")).toBe("key: *** end");
    expect(mask.text(wrapped).replace(/[\n*]/g, "").length).toBeLessThan(8);
  });

  test("in values and names of JSON, and its structure stays", () => {
    const mask = new SecretMask(["nbcdefgh"]);

    expect(mask.json({ a: "\nbcdefgh", b: ["nbcdefgh", 1, null], nbcdefgh: true })).toEqual({
      a: "\nbcdefgh",
      b: ["***", 1, null],
      "***": true,
    });
    expect(mask.jsonLines('{"a":"\\nbcdefgh"}\n{"a": "nbcdefgh"}\nno json nbcdefgh\n')).toBe(
      '{"a":"\\nbcdefgh"}\n{"a":"***"}\nno json ***\n',
    );
  });

  test("also where two overlap, and where one begins another", () => {
    const mask = new SecretMask(["abcdef", "defghi", "abcdefxyz"]);

    expect(mask.text("-abcdefghi-abcdefxyz-abcdef")).toBe("-***-***-***");
  });
});

test("a secret of fewer than four characters is left alone, and one of fewer than eight stays in names of fields", () => {
  const mask = new SecretMask(["a", "text", "long-enough"]);

  expect(mask.text("a banana")).toBe("a banana");
  expect(mask.json({ text: "some text", "long-enough": "long-enough" })).toEqual({ text: "some ***", "***": "***" });
  expect(mask.record({ id: "text-1", path: "long-enough.txt" })).toEqual({ id: "text-1", path: "***.txt" });
});

test("what came is given out at once unless a secret may have begun", () => {
  const pieces = new SecretMask(["hunter2"]).pieces();

  expect(pieces.push("the line\n")).toBe("the line\n");
  expect(pieces.push("is hun")).toBe("is ");
  expect(pieces.push("gry hunte")).toBe("hungry ");
  expect(pieces.push("r2")).toBe("***");
  expect(pieces.push("! h")).toBe("! ");
  expect(pieces.end()).toBe("h");
});

test("a secret that repeats itself is hidden in bounded memory", () => {
  const pieces = new SecretMask(["aaaaaaaa"]).pieces();
  let given = pieces.push("a".repeat(100));
  expect(given).toBe("***");

  for (let i = 0; i < 100; i++) given += pieces.push("a".repeat(1_000));
  given += pieces.push("b");

  expect(given + pieces.end()).toBe("***b");
});

test("in pieces it is the same as in one", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c", "=", "/"), minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 4 }), fc.array(letters, { maxLength: 30 }), (secrets, texts) => {
      const mask = new SecretMask(secrets);
      const pieces = mask.pieces();

      const given = texts.map((text) => pieces.push(text)).join("") + pieces.end();

      expect(given).toBe(mask.text(texts.join("")));
      for (const secret of secrets) if (secret.length >= 4) expect(given).not.toContain(secret);
    }),
    { numRuns: 2_000 },
  );
});
