import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Plan } from "../contract/plan.js";
import { packageRoot } from "../package-root.js";
import { planOf, problemsOf, stepOf } from "../test/support/definitions.js";
import { compile } from "./compile.js";
import { graphOf } from "./graph.js";

const data = (name: string) => readFileSync(join(packageRoot, "test/data/dag", name), "utf8");

/** A definition of one agent step, or of several, with keys of its own. */
const one = (step: object = {}, top: object = {}) => ({
  name: "w",
  ...top,
  steps: [{ key: "a", agent: "backend", prompt: "p", ...step }],
});
const some = (...steps: object[]) => ({ name: "w", steps: steps.map((step) => ({ agent: "backend", prompt: "p", ...step })) });

describe("code-review.yaml, as its authors wrote it", () => {
  const plan = planOf(data("code-review.yaml"));

  test("has the levels and the order of its dependencies", () => {
    expect(graphOf(plan.steps).levels).toEqual([
      ["parse-changes"],
      ["security-audit", "quality-analysis", "backend-review"],
      ["generate-report"],
    ]);
    expect(plan.steps.map(({ key }) => key)).toEqual([
      "parse-changes",
      "security-audit",
      "quality-analysis",
      "backend-review",
      "generate-report",
    ]);
  });

  test("becomes a plan with nothing lost", () => {
    expect(Plan.parse(plan)).toEqual(plan);
    expect(plan).toMatchObject({
      name: "code-review-workflow",
      version: "1.0.0",
      author: "AutomatosX",
      tags: ["code-review", "quality", "security"],
      timeout_ms: 300_000,
      flow: { kind: "graph", by_level: true, concurrency: 3 },
    });
    expect(stepOf(plan, "security-audit")).toMatchObject({
      work: { kind: "agent", role: "security" },
      needs: ["parse-changes"],
      timeout_ms: 60_000,
      retry: { maxAttempts: 3, initialDelayMs: 2000, multiplier: 2 },
    });
  });
});

describe("what their parser answered", () => {
  interface Case {
    input: unknown;
    validate?: { valid: boolean; errors: string[] };
    levels?: string[][];
    order?: string[];
  }
  const cases = Object.entries(JSON.parse(data("definitions-edge.json")) as Record<string, Case>);
  /** An unknown key is most likely a misspelt one: passing over it would run something else than was meant. */
  const stricter = ["extraField"];
  /** What ours says; theirs is told beside it where it is a sentence of its own. */
  const says: Record<string, string> = {
    cycle2: "steps[0].key 1:29 Dependency cycle detected: a → b → a",
    self: "steps[0].key 1:29 Dependency cycle detected: a → a",
    cycle3: "steps[1].key 1:84 Dependency cycle detected: a → c → b → a",
    missingDep: 'steps[0].dependencies[0] 1:74 Step "a" depends on non-existent step "zz"',
    dup: 'steps[1].key 1:84 Duplicate step key: "a"',
    unknownPlaceholderStep: 'steps[0].prompt 1:55 "nope.x" refers to "nope", which is no step',
    empty: 'steps 1:21 "steps" is empty. A definition has at least one step.',
    noName: 'name 1:1 "name" is missing in the definition.',
    emptyName: 'name 1:9 "name" must be a text with something in it',
    noPrompt: 'steps[0].prompt 1:22 "prompt" is missing in a step.',
    emptyKey: 'steps[0].key 1:29 "key" must be a text with something in it',
    extraField: 'steps[0].foo 1:76 Unknown key "foo" in a step.',
    numberVersion: 'version 1:23 "version" must be a text, not the number 1. Put it in quotes: "1".',
    badRetry: 'steps[0].retryPolicy.maxRetries 1:104 "maxRetries" must be at least 0, not -1.',
    parallelism0: 'config.parallelism 1:102 "parallelism" must be at least 1, not 0.',
    "yaml:yamlScalar": " 1:1 A definition is a map",
    "yaml:yamlEmpty": " 1:1 The file is empty.",
    "yaml:yamlBad": " 1:7 Flow sequence",
    "yaml:yamlList": " 1:1 A definition is a map",
  };

  test("is known of 25 definitions", () => expect(cases).toHaveLength(25));

  test.each(cases)("%s", (name, { input, validate, levels, order }) => {
    const [text, file] = typeof input === "string" ? [input, "a.yaml"] : [JSON.stringify(input), "a.json"];
    const result = compile(text, file);

    expect(result.ok).toBe(validate?.valid === true && !stricter.includes(name));
    if (result.ok) {
      expect(graphOf(result.plan.steps).levels).toEqual(levels);
      expect(result.plan.steps.map(({ key }) => key)).toEqual(order);
    } else {
      const [problem] = result.problems;
      expect(`${problem?.path} ${problem?.line}:${problem?.column} ${problem?.message}`).toContain(says[name] ?? "nothing");
    }
  });
});

describe("each field of a dag says something in the plan", () => {
  test.each([
    ["version", { version: "1.2.3" }, { version: "1.2.3" }],
    ["description", { description: "d" }, { description: "d" }],
    ["author", { author: "me" }, { author: "me" }],
    ["tags", { tags: ["x", "y"] }, { tags: ["x", "y"] }],
    ["timeout", { config: { timeout: 5000 } }, { timeout_ms: 5000 }],
    ["checkpointInterval", { config: { checkpointInterval: 30_000 } }, { checkpoint_interval_ms: 30_000 }],
    ["parallelism", { config: { parallelism: 2 } }, { flow: { kind: "graph", by_level: true, concurrency: 2 } }],
    ["maxRetries", { config: { maxRetries: 2 } }, { steps: [{ retry: { maxAttempts: 3 } }] }],
    ["continueOnError", { config: { continueOnError: true } }, { steps: [{ on_failure: "continue" }] }],
  ])("%s", (_, top, expected) => {
    expect(planOf(one({}, top))).toMatchObject(expected);
  });

  test.each([
    ["key", { key: "b" }, { key: "b" }],
    ["agent, as a role", { agent: "security" }, { work: { role: "security" } }],
    ["agent, as a provider", { agent: "claude" }, { work: { kind: "agent", provider: "claude" } }],
    ["prompt", { prompt: "do {{x}}" }, { work: { prompt: { text: ["do ", ["name", "x"]] } } }],
    ["optional", { optional: true }, { optional: true }],
    ["timeoutMs", { timeoutMs: 500 }, { timeout_ms: 500 }],
    ["outputSchema", { outputSchema: { type: "object" } }, { output_schema: { type: "object" } }],
    ["maxRetries", { retryPolicy: { maxRetries: 5 } }, { retry: { maxAttempts: 6 } }],
    ["retryDelayMs", { retryPolicy: { retryDelayMs: 7 } }, { retry: { initialDelayMs: 7, maxAttempts: 4 } }],
    ["retryBackoffMultiplier", { retryPolicy: { retryBackoffMultiplier: 1.5 } }, { retry: { multiplier: 1.5 } }],
    ["retryableErrors", { retryPolicy: { retryableErrors: ["timeout"] } }, { retry: { retryableErrors: ["timeout"] } }],
    ["retries", { retries: 1 }, { retry: { maxAttempts: 2 } }],
    ["continueOnError", { continueOnError: true }, { on_failure: "continue" }],
    ["description", { description: "Looks" }, { summary: { literal: "Looks" } }],
  ])("%s of a step", (_, step, expected) => {
    expect(planOf(one(step)).steps[0]).toMatchObject(expected);
  });

  test("what is left out has the documented defaults", () => {
    expect(planOf(one())).toEqual({
      format: 1,
      name: "w",
      tags: [],
      phases: [],
      timeout_ms: 3_600_000,
      checkpoint_interval_ms: 60_000,
      names: ["item", "context", "vars", "steps"],
      flow: { kind: "graph", concurrency: 5, by_level: true },
      steps: [
        {
          key: "a",
          needs: [],
          work: { kind: "agent", prompt: { literal: "p" }, role: "backend" },
          on_failure: "stop",
        },
      ],
    });
  });

  test("a step's own retryPolicy stands above config.maxRetries", () => {
    const plan = planOf({ ...one({ retryPolicy: { maxRetries: 1 } }), config: { maxRetries: 7 } });

    expect(plan.steps[0]?.retry).toMatchObject({ maxAttempts: 2 });
  });

  test("a delay may be as long as it is written", () => {
    const [step] = planOf(one({ retryPolicy: { retryDelayMs: 120_000 } })).steps;

    expect(step).toHaveProperty(
      "retry.maxDelayMs",
      expect.toSatisfy((ms) => ms >= 8 * 120_000),
    );
  });
});

describe("parallel: false", () => {
  const apart = some(
    { key: "r" },
    { key: "a", dependencies: ["r"] },
    { key: "b", dependencies: ["r"] },
    { key: "c", dependencies: ["r"], parallel: false },
    { key: "d", dependencies: ["r"] },
    { key: "e", dependencies: ["a", "d"] },
  );

  test("keeps a step from running beside others of its level", () => {
    const plan = planOf(apart);

    expect(stepOf(plan, "c").needs).toEqual(["r", "a", "b"]);
    expect(stepOf(plan, "d").needs).toEqual(["r", "c"]);
    expect(graphOf(plan.steps).levels).toEqual([["r"], ["a", "b"], ["c"], ["d"], ["e"]]);
  });

  test("of all steps of a level does one after the other, as they are written", () => {
    const plan = planOf(some(...["a", "b", "c"].map((key) => ({ key, parallel: false }))));

    expect(plan.steps.map(({ key, needs }) => [key, ...needs])).toEqual([["a"], ["b", "a"], ["c", "b"]]);
  });

  test("left out or true lets steps of a level run at once", () => {
    expect(planOf(some({ key: "a", parallel: true }, { key: "b" })).steps.map(({ needs }) => needs)).toEqual([[], []]);
  });
});

describe("other spellings of files people have", () => {
  test("dependsOn is dependencies", () => {
    expect(planOf(some({ key: "a" }, { key: "b", dependsOn: ["a"] })).steps[1]?.needs).toEqual(["a"]);
  });

  test("dependencies and dependsOn together are refused", () => {
    expect(problemsOf(some({ key: "a" }, { key: "b", dependsOn: ["a"], dependencies: ["a"] }))).toEqual([
      expect.stringContaining('"dependencies" and "dependsOn" say the same. Keep one of them.'),
    ]);
  });

  test("an action with a description is what the agent is told", () => {
    const { steps } = planOf({
      name: "w",
      steps: [{ key: "a", agent: "quality", action: "lint-code", description: "Run the linter" }],
    });

    expect(steps[0]).toMatchObject({ work: { role: "quality", prompt: { literal: "lint-code: Run the linter" } } });
  });

  test("an action beside a prompt is refused", () => {
    expect(problemsOf(one({ action: "lint" }))).toEqual([expect.stringContaining('Unknown key "action"')]);
  });

  test("a timeout of 300 is refused, as it was meant in seconds", () => {
    expect(problemsOf(one({ timeout: 300 }))).toEqual([
      expect.stringContaining('"timeout" is in milliseconds: 300 of them are 0.3 s. Write "300s" or 300000 for seconds.'),
    ]);
  });

  test("a provider that nobody knows is refused with those that there are", () => {
    expect(problemsOf(one({ provider: "gemeni" }))).toEqual([
      expect.stringContaining('No agent is called "gemeni". Did you mean "gemini"?'),
    ]);
  });
});

describe("names in prompts", () => {
  test("are looked for in the context first, then among what steps gave", () => {
    expect(planOf(one()).names).toEqual(["item", "context", "vars", "steps"]);
  });

  test("that are near a step's key are taken for a slip", () => {
    expect(problemsOf(some({ key: "parse-changes" }, { key: "b", prompt: "x\n {{parse-chnages.files}}" }))).toEqual([
      expect.stringContaining('Did you mean "parse-changes"?'),
    ]);
  });

  test("that begin with steps must be of an earlier level", () => {
    const late = (dependencies: string[]) => some({ key: "a" }, { key: "b", prompt: "{{steps.a.x}}", dependencies });

    expect(problemsOf(late([]))).toEqual([expect.stringContaining('Step "b" refers to "a", which is not over when it begins.')]);
    expect(problemsOf(late(["a"]))).toEqual([]);
  });

  test("of the input's schema are known", () => {
    const input = { type: "object", properties: { repo: { type: "object" } }, additionalProperties: false };

    expect(planOf(one({ prompt: "{{repo.owner}}" }, { input }))).toBeDefined();
    expect(problemsOf(one({ prompt: "{{rep.owner}} {{other}}" }, { input }))).toHaveLength(2);
  });
});
