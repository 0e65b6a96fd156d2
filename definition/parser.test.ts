import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../package-root.js";
import {
  buildDependencyGraph,
  DependencyCycleError,
  extractPlaceholders,
  parseFile,
  parseJSON,
  parseYAML,
  RenderError,
  renderPrompt,
  resolveContextValue,
  toJSON,
  toYAML,
  validate,
  WorkflowParseError,
} from "./index.js";

const CODE_REVIEW = join(packageRoot, "test/data/dag/code-review.yaml");
const step = (key: string, ...dependencies: string[]) => ({ key, agent: "backend", prompt: "p", dependencies });
const workflow = (...steps: object[]) => parseJSON(JSON.stringify({ name: "w", steps }));

describe("parseYAML and parseJSON", () => {
  test("give the definition with its defaults", () => {
    const json = parseJSON('{"name":"w","config":{},"steps":[{"key":"a","agent":"x","prompt":"p"}]}');

    expect(json).toEqual({
      name: "w",
      version: "1.0.0",
      config: { maxRetries: 0, parallelism: 5, continueOnError: false, checkpointInterval: 60_000 },
      steps: [{ key: "a", agent: "x", prompt: "p", dependencies: [], parallel: true, optional: false }],
    });
    expect(parseYAML("name: w\nconfig: {}\nsteps: [{ key: a, agent: x, prompt: p }]")).toEqual(json);
  });

  test("refuse what has not the form of a definition, with every problem and its place", () => {
    expect(() => parseYAML("name: ''\nsteps:\n  - key: a\n    agent: b\n")).toThrow(WorkflowParseError);
    expect(() => parseYAML("name: ''\nsteps:\n  - key: a\n    agent: b\n")).toThrow(
      /^Failed to parse YAML: 1:7 "name" must be .*\n3:5 "prompt" is missing in a step\.$/s,
    );
    expect(() => parseJSON("{")).toThrow(/^Failed to parse JSON: 1:2 /);
  });

  test("leave cycles and unknown steps to those who ask for the graph", () => {
    expect(workflow(step("a", "b"), step("b", "a"), step("c", "zz")).steps).toHaveLength(3);
  });
});

describe("parseFile", () => {
  test("reads a file in the format that its name says", () => {
    expect(parseFile(CODE_REVIEW)).toEqual(parseYAML(readFileSync(CODE_REVIEW, "utf8")));
  });

  test.each(["/nowhere/x.yaml", CODE_REVIEW.replace(".yaml", ".txt")])("refuses %s", (path) => {
    expect(() => parseFile(path)).toThrow(WorkflowParseError);
  });
});

describe("buildDependencyGraph", () => {
  test("gives nodes, order and levels", () => {
    expect(buildDependencyGraph(parseFile(CODE_REVIEW))).toMatchObject({
      hasCycle: false,
      levels: [["parse-changes"], ["security-audit", "quality-analysis", "backend-review"], ["generate-report"]],
    });
  });

  test("throws the cycle it finds, with its path", () => {
    const build = () => buildDependencyGraph(workflow(step("step-a", "step-b"), step("step-b", "step-a")));

    expect(build).toThrow(DependencyCycleError);
    expect(build).toThrow(/^Dependency cycle detected: step-a → step-b → step-a$/);
    expect(build).toThrow(expect.objectContaining({ cycle: ["step-a", "step-b", "step-a"] }));
  });

  test("throws for a dependency that is no step", () => {
    expect(() => buildDependencyGraph(workflow(step("build"), step("b", "biuld")))).toThrow(
      /^Step "b" depends on non-existent step "biuld"\. Did you mean "build"\?$/,
    );
  });
});

test("validate tells everything that is wrong, and nothing of what is right", () => {
  expect(validate(parseFile(CODE_REVIEW))).toEqual({ valid: true, errors: [], problems: [] });
  const { valid, errors } = validate(
    workflow(step("a", "a"), step("b", "zz"), { ...step("c"), prompt: "{{nope.x}}" }, step("c")),
  );
  expect(valid).toBe(false);
  expect(errors).toEqual([
    expect.stringContaining("Dependency cycle detected: a → a"),
    expect.stringContaining('Step "b" depends on non-existent step "zz"'),
    expect.stringContaining('"nope.x" refers to "nope"'),
    expect.stringContaining('Duplicate step key: "c"'),
  ]);
});

test("extractPlaceholders names what a prompt refers to, each once", () => {
  expect(extractPlaceholders("{{ a }} {{b-c.d[0]}} {{a}} \\{{no}}")).toEqual(["a", "b-c.d[0]"]);
  expect(() => extractPlaceholders("{{ a")).toThrow(WorkflowParseError);
});

describe("renderPrompt", () => {
  const context = { file: "a.ts", "parse-changes": { functions: ["f", "g"], count: 2 }, summary: "all well" };

  test("puts in texts as they are and all else as JSON", () => {
    expect(renderPrompt("{{file}}: {{ parse-changes.functions }} {{parse-changes.count}} {{summary.result}}", context)).toBe(
      'a.ts: ["f","g"] 2 all well',
    );
  });

  test("never renders what is not there", () => {
    expect(() => renderPrompt("{{ files }}", context)).toThrow(RenderError);
  });
});

test("resolveContextValue finds own values only", () => {
  expect(resolveContextValue("a.b[1]", { a: { b: [1, 2] } })).toBe(2);
  expect(resolveContextValue("a.c", { a: {} })).toBeUndefined();
  expect(resolveContextValue("constructor.name", {})).toBeUndefined();
  expect(() => resolveContextValue("a..b", {})).toThrow(WorkflowParseError);
});

test("toYAML and toJSON give back what was read", () => {
  const definition = parseFile(CODE_REVIEW);

  expect(parseYAML(toYAML(definition))).toEqual(definition);
  expect(parseJSON(toJSON(definition))).toEqual(definition);
  expect(toJSON(definition)).toContain("\n");
  expect(toJSON(definition, false)).not.toContain("\n");
});
