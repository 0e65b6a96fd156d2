import { execFileSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse, parseDocument, stringify } from "yaml";
import type { Json } from "../contract/json.js";
import { packageRoot } from "../package-root.js";
import { MAX_DEPTH, MAX_LENGTH } from "./limits.js";
import { toJson } from "./node.js";
import { read } from "./read.js";

describe("JSON", () => {
  test("reads as JSON.parse reads it, whatever it holds", () => {
    const objects = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ stringUnit: "grapheme", maxDepth: 5 }));
    fc.assert(
      fc.property(objects, fc.constantFrom(0, 2, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        fc.pre(!text.includes("\\u0000"));
        expect(jsonOf(text, "a.json")).toEqual(JSON.parse(text));
      }),
    );
  });

  test("knows the line and column of each value and key", () => {
    const { root } = good('{\n  "steps": [\n    {"key": "a"}\n  ]\n}', "a.json");
    const steps = root.entries[0];

    expect(steps?.at).toMatchObject({ path: "steps", line: 2, column: 3 });
    expect(steps?.value).toMatchObject({ line: 2, column: 12, items: [{ path: "steps[0]", line: 3, column: 5 }] });
  });

  test.each([
    ['{"a": 1,}', 9, "JSON has no comma before }"],
    ['{"a": [1 2]}', 10, "a comma or ] is missing"],
    ["{'a': 1}", 2, "a key in double quotes"],
    ['{"a" 1}', 6, "a colon is missing"],
    ['{"a": }', 7, "a value is missing"],
    ['{"a": 01}', 7, "a value is missing"],
    ['{"a": True}', 7, "a value is missing"],
    ['{"a": "x\ny"}', 9, "one line"],
    ['{"a": "\\x"}', 8, "escape"],
    ['{"a": "x', 7, "no end"],
    ['{"a": 1} x', 10, "ends before"],
    ['{"a": 1', 8, "the end of the file"],
    ['{"a": 1 /* c */}', 9, "a comma or } is missing"],
  ])("%s is refused at column %i", (text, column, words) => {
    const [problem, ...others] = problemsOf(text, "a.json");

    expect(others).toEqual([]);
    expect(problem).toMatchObject({ line: 1, column, message: expect.stringContaining(words) });
  });
});

describe("YAML", () => {
  test("is YAML 1.2: yes, no and on are texts, and 1.10 is a number", () => {
    expect(jsonOf("a: yes\nb: no\non: off\nc: 1.10\ne: 0o10\nf: true\ng: ~", "a.yaml")).toEqual({
      a: "yes",
      b: "no",
      on: "off",
      c: 1.1,
      e: 8,
      f: true,
      g: null,
    });
  });

  test("reads as the library that edits definitions reads it, however it is written", () => {
    const texts = fc
      .oneof(
        fc.string({ unit: "grapheme" }),
        fc.constantFrom(
          "",
          "yes",
          "null",
          "~",
          "0o7",
          "0x1F",
          "1_000",
          ".5",
          "1e3",
          "- a",
          "a: b",
          "# c",
          " x ",
          "a\nb",
          "a\n\n",
          "<<",
          "=",
          "2020-01-01",
        ),
      )
      .filter((text) => !text.includes("\0"));
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        texts,
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
        fc.boolean(),
        fc.constant(null),
        tie("list"),
        tie("map"),
      ),
      list: fc.array(tie("value"), { maxLength: 4 }),
      map: fc.dictionary(
        texts.filter((text) => text !== "<<"),
        tie("value"),
        { maxKeys: 4 },
      ),
    }));
    const styles = fc.record({
      defaultStringType: fc.constantFrom("PLAIN", "QUOTE_SINGLE", "QUOTE_DOUBLE", "BLOCK_LITERAL", "BLOCK_FOLDED"),
      collectionStyle: fc.constantFrom("any", "block", "flow"),
      indent: fc.constantFrom(1, 2, 4),
      indentSeq: fc.boolean(),
      lineWidth: fc.constantFrom(0, 20, 80),
    } as const);
    fc.assert(
      fc.property(value, styles, (value, style) => {
        const text = stringify({ value }, { ...style, aliasDuplicateObjects: false });
        const { errors } = parseDocument(text); // it writes some empty lists as it does not read them
        if (errors.length > 0) expect(read(text, "a.yaml").ok).toBe(false);
        else expect(jsonOf(text, "a.yaml")).toEqual(parse(text));
      }),
      { numRuns: 300 },
    );
  });

  test("of another version is refused", () => {
    expect(messageOf("%YAML 1.1\n---\na: on", "a.yaml")).toContain("YAML 1.1");
  });

  test("may begin with a byte order mark and end its lines with CRLF", () => {
    const text = "\uFEFFname: x\r\nprompt: |\r\n  one\r\n  two\r\n";

    expect(jsonOf(text, "a.yaml")).toEqual({ name: "x", prompt: "one\ntwo\n" });
    expect(good(text, "a.yaml").root.entries[1]?.at).toMatchObject({ line: 2, column: 1 });
  });

  test("reads anchors, aliases and merge keys, own keys first", () => {
    const text = "base: &b { a: 1, b: 2 }\nother: &o { c: 3 }\nx: { <<: [*b, *o], b: 9 }\ny: *b";

    expect(jsonOf(text, "a.yml")).toMatchObject({ x: { a: 1, b: 9, c: 3 }, y: { a: 1, b: 2 } });
  });

  test("takes the anchor that stands before the alias when there are two of one name", () => {
    expect(jsonOf("a: &n 1\nb: *n\nc: &n 2\nd: *n", "a.yaml")).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });

  test.each([
    ["a: &a [*a]", "no end"],
    ["a: *nowhere", "No value before"],
    ["a: !!js/function 'x'", "!!js/function"],
    ["a: !custom x", "!custom"],
    ["a: !!python/object:os.system {}", "!!python/object"],
    ["a: !!binary aGk=", "!!binary"],
    ["a:\n\t- b", "Use spaces"],
    ["a: 1\n---\nb: 2", "several documents"],
    ["? [a]\n: 1", "A key is a text"],
    ["a: .nan", "no number"],
    ["<<: 3", "takes a map"],
  ])("%j is refused", (text, words) => {
    expect(messageOf(text, "a.yaml")).toContain(words);
  });
});

test.each(["a: {{ x.y }}", "b: 1\na: {{ x.y }} and {{ z }}", "a: [1, {{ x }}]", "- {{ x }} y"])(
  "%j is told to need quotes",
  (text) => {
    expect(problemsOf(text, "a.yaml")).toEqual([expect.objectContaining({ message: expect.stringContaining("needs quotes") })]);
  },
);

test("a number with leading zeros is refused: YAML 1.1 and 1.2 read it differently", () => {
  expect(messageOf("mode: 0755", "a.yaml")).toBe("0755 would be kept as the number 755. Put it in quotes if it is a text.");
});

describe.each(["a.json", "a.yaml"])("%s", (file) => {
  test("refuses a key that is there twice, and says where the first is", () => {
    expect(problemsOf('{"a": 1,\n"b": 2, "a": 3}', file)).toEqual([
      { path: "a", line: 2, column: 9, message: 'The key "a" is here a second time; the first is in line 1. Keep one.' },
    ]);
  });

  test.each(["9007199254740993", "1e400", '"\\u0000"', '"\\ud800"'])("refuses %s, which could not be kept as it is", (value) => {
    expect(problemsOf(`{"a": ${value}}`, file)).toMatchObject([{ path: "a", line: 1, column: 7 }]);
  });

  test("makes own properties of keys such as __proto__", () => {
    const value = jsonOf('{"__proto__": {"isAdmin": true}, "constructor": 1}', file);

    expect(Object.keys(value as object)).toEqual(["__proto__", "constructor"]);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test.each(["", " \n ", "\uFEFF"])("is refused when it is empty: %j", (text) => {
    expect(messageOf(text, file)).toContain("empty");
  });

  test.each(['"hello"', "[1]", "3"])("is refused when it is no map: %s", (text) => {
    expect(messageOf(text, file)).toContain("a map");
  });

  test("is refused whole when it is too long or nests too deep", () => {
    const deep = (depth: number) => `{"a": ${"[".repeat(depth)}${"]".repeat(depth)}}`;

    expect(messageOf(`{"a": "${"x".repeat(MAX_LENGTH)}"}`, file)).toContain("characters");
    expect(read(deep(MAX_DEPTH - 1), file).ok).toBe(true);
    expect(messageOf(deep(MAX_DEPTH + 1), file)).toContain("within one another");
  });

  test("never throws, whatever the text", () => {
    const words = fc.constantFrom(
      ..."{}[],:\"'#&*!|>%@`-? \n\t\\ab01".split(""),
      "<<",
      "${",
      "{{",
      "key: ",
      "- ",
      "---\n",
      "&a ",
      "*a ",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 60 }), (parts) => {
        const result = read(parts.join(""), file);
        if (!result.ok)
          for (const problem of result.problems) expect(problem).toMatchObject({ message: /./, line: expect.any(Number) });
      }),
      { numRuns: 500 },
    );
  });
});

test("a file that is called neither .json, .yaml nor .yml is refused", () => {
  expect(messageOf("a: 1", "notes.txt")).toContain("Call it .yaml, .yml or .json");
});

/** Bombs: name, text. Tried in a process of their own, whose memory tells. */
const LAUGHS = ["a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]"];
for (let i = 1; i < 10; i++) LAUGHS.push(`a${i}: &a${i} [${Array(9).fill(`*a${i - 1}`)}]`);

test.each([
  ["100,000 lists in JSON", "a.json", "[".repeat(100_000) + "]".repeat(100_000)],
  ["100,000 maps in JSON", "a.json", '{"a":'.repeat(100_000)],
  ["100,000 lists in YAML", "a.yaml", "[".repeat(100_000) + "]".repeat(100_000)],
  ["400,000 dashes", "a.yaml", "- ".repeat(400_000)],
  ["a billion laughs", "a.yaml", LAUGHS.join("\n")],
  ["merged laughs", "a.yaml", LAUGHS.join("\n").replaceAll("[", "{<<: [").replaceAll("]", "]}").replaceAll("lol", "{x: 1}")],
])("a bomb of %s is refused before it costs time or memory", (_, file, text) => {
  const { ok, ms, grown } = costOf(text, file);

  expect(ok).toBe(false);
  expect(ms).toBeLessThan(200);
  expect(grown).toBeLessThan(50e6);
});

/** The processor's time of the best of three readings, and the memory that all took. */
function costOf(text: string, file: string): { ok: boolean; ms: number; grown: number } {
  const script = `
    import { readFileSync } from "node:fs";
    import { read } from ${JSON.stringify(join(packageRoot, "dist/definition/read.js"))};
    const text = readFileSync(0, "utf8");
    read("a: 1", "a.yaml");
    const before = process.memoryUsage.rss();
    const times = [1, 2, 3].map(() => {
      const start = process.cpuUsage();
      const { ok } = read(text, ${JSON.stringify(file)});
      return { ok, ms: process.cpuUsage(start).user / 1000 };
    });
    const ms = Math.min(...times.map((time) => time.ms));
    console.log(JSON.stringify({ ok: times.some(({ ok }) => ok), ms, grown: process.memoryUsage.rss() - before }));`;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], { input: text, encoding: "utf8" }));
}

function good(text: string, file: string) {
  const result = read(text, file);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
}

function jsonOf(text: string, file: string): Json {
  return toJson(good(text, file).root);
}

function problemsOf(text: string, file: string) {
  const result = read(text, file);
  return result.ok ? [] : result.problems;
}

function messageOf(text: string, file: string): string {
  return problemsOf(text, file)
    .map(({ message }) => message)
    .join(" ");
}
