import fc from "fast-check";
import { expect, test } from "vitest";
import { Document, isMap, isScalar, isSeq, visit } from "yaml";
import type { Json, JsonObject } from "../contract/json.js";
import { toJson } from "./node.js";
import { read } from "./read.js";
import { rewriteYaml } from "./rewrite-yaml.js";

const TEXT = `# yaml-language-server: $schema=schemas/dag.schema.json
# How we release.

name:   release   # as people say it
timeout: 1h
tags: [ "fast", 'safe' ]   # two of them

# What it does, in order.
steps:
    # Compile first.
    - key: build
      command: "make"        # quoted on purpose
      env: {A: 1, B: 'x'}

    # Then try it.
    - key: test
      type: script
      command: |
        make test
        make lint
      dependencies: [build]
    - key: ship   # the last
      prompt: >-
        Ship it,
        carefully.
finally:
- key: clean
  command: make clean
`;

test("a text that says it already stays as it is", () => {
  expect(rewriteYaml(TEXT, readAs(TEXT))).toBe(TEXT);
});

const build = ["steps", 0];
const check = ["steps", 1];
const edits: [what: string, edit: (value: JsonObject) => JsonObject, from: string, to: string][] = [
  ["a text in its own quotes", (v) => put(v, [...build, "command"], "make all"), `"make" `, `"make all" `],
  ["a plain text", (v) => put(v, ["name"], "ship"), "release   #", "ship   #"],
  ["a value in { }", (v) => put(v, [...build, "env", "B"], "it's"), "'x'", "'it''s'"],
  ["a value in [ ]", (v) => put(v, ["tags", 1], "sound"), "'safe'", "'sound'"],
  ["a longer [ ]", (v) => put(v, [...check, "dependencies"], ["build", "lint"]), "[build]", "[build, lint]"],
  [
    "a text of several lines that becomes one",
    (v) => put(v, [...check, "command"], "make check"),
    "command: |\n        make test\n        make lint",
    "command: make check",
  ],
  [
    "a text that becomes a map: its comment stays at the key",
    (v) => put(v, ["name"], { first: "release", of: [1, { a: 2 }] }),
    "name:   release   # as people say it",
    "name:   # as people say it\n    first: release\n    of:\n        - 1\n        - a: 2",
  ],
  ["a key that goes", (v) => without(v, ["timeout"]), "timeout: 1h\n", ""],
  ["the last key, with all below it", (v) => without(v, ["finally"]), "finally:\n- key: clean\n  command: make clean\n", ""],
  [
    "a step that goes, with the comment above it",
    (v) => without(v, check),
    TEXT.slice(TEXT.indexOf("    # Then"), TEXT.indexOf("    - key: ship")),
    "",
  ],
  ["the first key of a step", (v) => without(v, [...build, "key"]), "- key: build\n      command", "- command"],
  [
    "a new key, after the one that it follows",
    ({ name = "", ...v }) => ({ name, version: "1.10", ...v }),
    "# as people say it\n",
    '# as people say it\nversion: "1.10"\n',
  ],
  [
    "new steps at the begin, between two, and at the end",
    (v) => put(v, ["steps"], [{ key: "a" }, ...steps(v, 0, 1), { key: "b", command: "x\ny\n" }, ...steps(v, 1), { key: "c" }]),
    TEXT.slice(TEXT.indexOf("    # Compile"), TEXT.indexOf("finally")),
    [
      "    - key: a\n",
      TEXT.slice(TEXT.indexOf("    # Compile"), TEXT.indexOf("\n    # Then")),
      "    - key: b\n      command: |\n          x\n          y\n",
      TEXT.slice(TEXT.indexOf("\n    # Then"), TEXT.indexOf("finally")),
      "    - key: c\n",
    ].join(""),
  ],
  [
    "a step that moves takes its comments with it",
    (v) => put(v, ["steps"], [...steps(v, 1), ...steps(v, 0, 1)]),
    TEXT.slice(TEXT.indexOf("    # Compile"), TEXT.indexOf("finally")),
    [
      TEXT.slice(TEXT.indexOf("\n    # Then"), TEXT.indexOf("finally")),
      TEXT.slice(TEXT.indexOf("    # Compile"), TEXT.indexOf("\n    # Then")),
    ].join(""),
  ],
];

test.each(edits)("only what differs is changed: %s", (_what, edit, from, to) => {
  const value = edit(readAs(TEXT));
  const written = rewriteYaml(TEXT, value) ?? "";

  expect(TEXT).toContain(from);
  expect(written).toBe(TEXT.replace(from, () => to));
  expect(readAs(written)).toEqual(value);
});

test("line breaks of Windows stay, and so does a byte order mark", () => {
  const text = `\uFEFF${TEXT.replaceAll("\n", "\r\n")}`;
  const written = rewriteYaml(text, put(readAs(text), ["timeout"], { hours: 1 }));

  expect(written).toBe(text.replace("timeout: 1h", "timeout:\r\n    hours: 1"));
});

const ANCHORS = `# of two
base: &base { retries: 2, timeout: 5m }   # for all
one: *base
two:
  <<: *base   # but
  timeout: 9m
`;

test("aliases stay where what they repeat is as it was", () => {
  const written = rewriteYaml(ANCHORS, put(readAs(ANCHORS), ["two", "timeout"], "1m"));

  expect(written).toBe(ANCHORS.replace("9m", "1m"));
});

test("an alias of which one place alone changes is written out there", () => {
  const written = rewriteYaml(ANCHORS, put(readAs(ANCHORS), ["one"], { retries: 3 })) ?? "";

  expect(written).toBe(ANCHORS.replace("one: *base", "one:\n  retries: 3"));
});

test("when what is repeated changes, the repetitions keep what they said", () => {
  const value = put(readAs(ANCHORS), ["base", "retries"], 4);
  const written = rewriteYaml(ANCHORS, value) ?? "";

  expect(readAs(written)).toEqual(value);
  expect(written).toContain("# of two\nbase: &base { retries: 4, timeout: 5m }   # for all\n");
  expect(written).not.toContain("*base");
});

test("a text that cannot be read is written anew, below the comments it begins with", () => {
  const written = rewriteYaml("# yaml-language-server: $schema=x.json\nname: [\n", { name: "again" });

  expect(written).toBe("# yaml-language-server: $schema=x.json\nname: again\n");
});

test("a key that would mean a merge is in quotes", () => {
  expect(rewriteYaml("a: 1\n", { a: { "<<": { b: 1 } } })).toBe('a:\n  "<<":\n    b: 1\n');
});

const key = fc.oneof(
  fc.constantFrom("name", "key", "steps", "a b", "if", "no", "1", "~", "#x", "<<"),
  fc.string({ maxLength: 6 }),
);
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    "",
    " ",
    "null",
    "1.10",
    "yes",
    "- a",
    "a: b",
    "{{ x }}",
    "# no",
    "line\nline\n",
    "\n\n x",
    "end\n\n",
    "'",
    '"',
    "\t",
  ),
);
const scalar = fc.oneof(text, fc.integer({ min: -1000, max: 1000 }), fc.boolean(), fc.constant(null), fc.constant(1.5));
const { value: anything } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const object = fc
  .dictionary(key, anything, { minKeys: 1, maxKeys: 6, noNullPrototype: true })
  .filter((value) => !JSON.stringify(value).includes("__proto__"));

/** How a text is laid out, one number a node. */
const looks = fc.array(fc.nat(15), { minLength: 12, maxLength: 12 });

test("whatever a text says, made to say something else it says that", () => {
  fc.assert(
    fc.property(object, object, looks, fc.array(fc.nat(3), { maxLength: 6 }), (old, other, look, keep) => {
      const written = laidOut(old, look);
      if (!isReadAs(written, old)) return;
      const kept = Object.entries(old).filter((_, i) => keep[i] !== 0);
      const value: JsonObject = { ...Object.fromEntries(kept), ...(keep.length % 2 === 0 ? other : {}), last: keep.length };

      expect(rewriteYaml(written, old)).toBe(written);
      const again = rewriteYaml(written, value) ?? "";
      expect(readAs(again)).toEqual(value);
    }),
    { numRuns: 150 },
  );
});

test("what stays keeps its comments and its looks, whatever happens around it", () => {
  const chunks = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), anything, looks), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(chunks, fc.array(fc.nat(3), { minLength: 6, maxLength: 6 }), anything, (parts, fate, other) => {
      const written = parts.map(([name, value, look]) => `# about ${name}\n${laidOut({ [name]: value }, look)}`);
      const whole = `# of all\n\n${written.join("")}`;
      const old = Object.fromEntries(parts.map(([name, value]) => [name, value]));
      if (!isReadAs(whole, old)) return;
      const entries = parts.flatMap(([name, value], i) =>
        fate[i] === 0 ? [] : [[name, fate[i] === 1 ? { other } : value] as [string, Json]],
      );
      const value = Object.fromEntries([...entries, ["added", other]]);

      const again = rewriteYaml(whole, value) ?? "";
      expect(readAs(again)).toEqual(value);
      for (const [i] of parts.entries()) if ((fate[i] ?? 0) > 1) expect(again).toContain((written[i] ?? "").trimEnd());
    }),
    { numRuns: 300 },
  );
});

/** As YAML in blocks and braces, with quotes and comments here and there. */
function laidOut(value: JsonObject, look: number[]): string {
  const document = new Document(value, { version: "1.2", aliasDuplicateObjects: false });
  let count = 0;
  visit(document, (_, node) => {
    const how = look[count++ % look.length] ?? 0;
    if (isScalar(node) && node.value === "<<") node.type = "QUOTE_DOUBLE";
    else if (isScalar(node) && typeof node.value === "string" && how < 4)
      node.type = how % 2 === 0 ? "QUOTE_DOUBLE" : "QUOTE_SINGLE";
    if (isScalar(node) && how > 12) node.comment = ` beside ${count}`;
    if ((isMap(node) || isSeq(node)) && count > 1) {
      if (how < 5) node.flow = true;
      else if (how > 10) node.commentBefore = ` above ${count}`;
    }
  });
  return document.toString({ lineWidth: 0, indent: 1 + ((look[0] ?? 0) % 4), indentSeq: (look[1] ?? 0) % 2 === 0 });
}

function isReadAs(written: string, value: JsonObject): boolean {
  const result = read(written, "a.yaml");
  return result.ok && JSON.stringify(toJson(result.root)) === JSON.stringify(value);
}

function readAs(written: string): JsonObject {
  const result = read(written, "a.yaml");
  if (!result.ok) throw new Error(`${JSON.stringify(result.problems)}\n${written}`);
  return toJson(result.root) as JsonObject; // the root of a definition is a map
}

function steps(value: JsonObject, from: number, to?: number): Json[] {
  return (value.steps as Json[]).slice(from, to); // of the text above
}

function put<V extends Json>(value: V, [first, ...path]: (string | number)[], item: Json): V {
  const copy = structuredClone(value) as Record<string | number, Json>; // of a path that is there
  copy[first ?? ""] = path.length === 0 ? item : put(copy[first ?? ""] ?? null, path, item);
  return copy as V;
}

function without<V extends Json>(value: V, [first = "", ...path]: (string | number)[]): V {
  const copy = structuredClone(value) as Record<string | number, Json>; // of a path that is there
  if (path.length > 0) copy[first] = without(copy[first] ?? null, path);
  else if (Array.isArray(copy)) copy.splice(Number(first), 1);
  else delete copy[first];
  return copy as V;
}
