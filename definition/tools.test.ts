import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../contract/json.js";
import { Plan, type PlanStep } from "../contract/plan.js";
import { compile } from "./compile.js";
import { toTools } from "./tools.js";

const examples = new URL("../examples/tools/", import.meta.url);

describe("a tools definition", () => {
  test("becomes a plan whose steps are done one after the other", () => {
    const plan = planOf({ name: "two", description: "Two calls", steps: [step("first"), step("second"), step("third")] });

    expect(plan).toMatchObject({ name: "two", description: "Two calls", flow: { kind: "graph", by_level: false } });
    expect(plan.steps.map(({ key, needs }) => [key, ...needs])).toEqual([["first"], ["second", "first"], ["third", "second"]]);
  });

  test("reads the same from YAML", () => {
    const yaml = 'name: w\nsteps:\n  - name: fetch\n    tool: github.getIssue\n    params: { number: "${input.number}" }\n';
    const json = { name: "w", steps: [{ name: "fetch", tool: "github.getIssue", params: { number: "${input.number}" } }] };

    expect(compile(yaml, "w.yaml")).toMatchObject({ ok: true, dialect: "tools", plan: planOf(json) });
  });

  test("takes five minutes, stops at a failure and tries once, when it says nothing else", () => {
    const plan = planOf({ name: "w", steps: [step("a")] });

    expect(plan.timeout_ms).toBe(300_000);
    expect(plan.steps[0]).toMatchObject({ on_failure: "stop" });
    expect(plan.steps[0]?.retry).toBeUndefined();
  });

  test("config.timeoutMs is the run's time", () => {
    expect(planOf({ name: "w", steps: [step("a")], config: { timeoutMs: 1000 } }).timeout_ms).toBe(1000);
  });

  test("config.continueOnError goes past steps that fail", () => {
    const plan = planOf({ name: "w", steps: [step("a"), step("b")], config: { continueOnError: true } });

    expect(plan.steps.map((each) => each.on_failure)).toEqual(["continue", "continue"]);
  });

  test("config.maxRetries counts the tries after the first", () => {
    const plan = planOf({ name: "w", steps: [step("a")], config: { maxRetries: 2 } });

    expect(plan.steps[0]?.retry).toEqual({
      maxAttempts: 3,
      backoff: "exponential",
      initialDelayMs: 1000,
      maxDelayMs: 60_000,
      multiplier: 2,
    });
  });

  test("a bare name is looked for in what was assigned, then among steps, then in the context", () => {
    expect(planOf({ name: "w", steps: [step("a")] }).names).toEqual(["vars", "steps", "context"]);
  });

  test.each(readdirSync(examples))("the example %s compiles", (file) => {
    const result = compile(readFileSync(new URL(file, examples), "utf8"), file);

    expect(result).toMatchObject({ ok: true, dialect: "tools", plan: { name: file.replace(".json", "") } });
  });

  test("repairs a failed deployment in seven steps: with conditions, retries, an agent's analysis and a rollback", () => {
    const { steps } = planOf(JSON.parse(readFileSync(new URL("fix_deploy_failure.json", examples), "utf8")));

    expect(steps.map(({ work }) => (work.kind === "tool" ? `${work.server}.${work.tool}` : work.kind))).toEqual([
      "deploy.getStatus",
      "observability.searchLogs",
      "agent.analyze",
      "deploy.rollback",
      "github.createBranch",
      "agent.applyFix",
      "github.createPullRequest",
    ]);
    expect(steps.filter((each) => each.condition)).toHaveLength(6);
    expect(steps.filter((each) => each.retry)).toHaveLength(4);
  });
});

describe("a step of it", () => {
  test("calls a tool of a server", () => {
    expect(only({ name: "fetch", tool: "github.getIssue" }).work).toEqual({
      kind: "tool",
      server: "github",
      tool: "getIssue",
      params: { literal: {} },
    });
  });

  test("keeps the type of a whole parameter, and puts values into texts", () => {
    const params = { number: "${input.n}", title: "Fix ${issue.title}", list: ["${a[0].b}"], draft: true };

    expect(only({ ...step("s"), params }).work).toMatchObject({
      params: {
        map: {
          number: { ref: ["input", "n"] },
          title: { text: ["Fix ", ["name", "issue", "title"]] },
          list: { list: [{ ref: ["name", "a", 0, "b"] }] },
          draft: { literal: true },
        },
      },
    });
  });

  test.each([
    ["${repo.owner}", ["name", "repo", "owner"]],
    ["${input.x}", ["input", "x"]],
    ["${vars.x}", ["vars", "x"]],
    ["${steps.fetch.title}", ["steps", "fetch", "title"]],
    ["${context.repo}", ["context", "repo"]],
    ["${run.id}", ["run", "id"]],
  ])("finds %s", (text, ref) => {
    const steps = [
      { ...step("fetch"), assign: "x" },
      { ...step("s"), params: { x: text } },
    ];

    expect(planOf({ name: "w", steps }).steps[1]?.work).toMatchObject({ params: { map: { x: { ref } } } });
  });

  test("leaves {{ }} in parameters as it is", () => {
    expect(only({ ...step("s"), params: { x: "{{ a }}" } }).work).toMatchObject({ params: { literal: { x: "{{ a }}" } } });
  });

  test("assign gives its output a name", () => {
    expect(only({ ...step("s"), assign: "issue" }).assign).toBe("issue");
  });

  test("if asks whether something is there", () => {
    expect(only({ ...step("s"), if: "${input.dry_run}" }).condition).toEqual({ truthy: ["input", "dry_run"] });
  });

  test("if compares and combines within its braces", () => {
    const { condition } = only({ ...step("s"), if: "${deployment.status == 'failed' && input.force}" });

    expect(condition).toHaveProperty("cel");
  });

  test("retry has defaults for what it does not say", () => {
    expect(only({ ...step("s"), retry: {} }).retry).toEqual({
      maxAttempts: 3,
      backoff: "exponential",
      initialDelayMs: 1000,
      maxDelayMs: 60_000,
      multiplier: 2,
    });
  });

  test.each(["fixed", "linear", "exponential"])("retry backs off as it says: %s", (backoff) => {
    const retry = { maxAttempts: 10, backoff, initialDelayMs: 100, maxDelayMs: 500, multiplier: 3 };

    expect(only({ ...step("s"), retry }).retry).toEqual(retry);
  });

  test("its own retry beats the workflow's", () => {
    const plan = planOf({ name: "w", steps: [{ ...step("s"), retry: { maxAttempts: 2 } }], config: { maxRetries: 9 } });

    expect(plan.steps[0]?.retry).toMatchObject({ maxAttempts: 2 });
  });
});

test.each([
  ["everything.get-sum", "everything", "get-sum"],
  ["my-server.getIssue", "my-server", "getIssue"],
  ["a_1.B_2-c", "a_1", "B_2-c"],
])("the tool %s is that of a server", (tool, server, name) => {
  expect(planOf({ name: "w", steps: [{ name: "a", tool }] }).steps[0]?.work).toMatchObject({ kind: "tool", server, tool: name });
});

describe("a tools definition is refused", () => {
  test.each<[string, JsonObject, string, RegExp]>([
    ["without a name", { steps: [step("a")] }, "name", /name/],
    ["with a name in capitals", { name: "Fix", steps: [step("a")] }, "name", /small letters/],
    ["without steps", { dialect: "tools", name: "w" }, "steps", /steps/],
    ["with no step", { name: "w", steps: [] }, "steps", /one step/],
    ["with a step without a name", { name: "w", steps: [{ tool: "a.b" }] }, "steps[0].name", /name/],
    ["with a step named with a hyphen", { name: "w", steps: [step("a-b")] }, "steps[0].name", /small letters/],
    ["with a step twice", { name: "w", steps: [step("a"), step("a")] }, "steps[1].name", /"a"/],
    [
      "with a tool without a server",
      { name: "w", steps: [{ name: "a", tool: "getIssue" }] },
      "steps[0].tool",
      /server\.toolName/,
    ],
    ["with a tool that is a hyphen", { name: "w", steps: [{ name: "a", tool: "a.-b" }] }, "steps[0].tool", /server\.toolName/],
    ["with a server in capitals", { name: "w", steps: [{ name: "a", tool: "GitHub.x" }] }, "steps[0].tool", /server\.toolName/],
    ["with parameters that are no map", { name: "w", steps: [{ ...step("a"), params: [] }] }, "steps[0].params", /map/],
    ["with a condition without braces", { name: "w", steps: [{ ...step("a"), if: "issue" }] }, "steps[0].if", /\$\{/],
    [
      "with a reference that is not closed",
      { name: "w", steps: [{ ...step("a"), params: { x: "${a" } }] },
      "steps[0].params.x",
      /closed/,
    ],
    ["with 0 tries", { name: "w", steps: [{ ...step("a"), retry: { maxAttempts: 0 } }] }, "steps[0].retry.maxAttempts", /1/],
    ["with 11 tries", { name: "w", steps: [{ ...step("a"), retry: { maxAttempts: 11 } }] }, "steps[0].retry.maxAttempts", /10/],
    [
      "with an unknown backoff",
      { name: "w", steps: [{ ...step("a"), retry: { backoff: "x" } }] },
      "steps[0].retry.backoff",
      /linear/,
    ],
    [
      "with a short delay",
      { name: "w", steps: [{ ...step("a"), retry: { initialDelayMs: 99 } }] },
      "steps[0].retry.initialDelayMs",
      /100/,
    ],
    ["with a short time", { name: "w", steps: [step("a")], config: { timeoutMs: 999 } }, "config.timeoutMs", /1000/],
    ["with negative retries", { name: "w", steps: [step("a")], config: { maxRetries: -1 } }, "config.maxRetries", /0/],
    ["with an unknown field", { name: "w", steps: [{ ...step("a"), parms: {} }] }, "steps[0].parms", /params/],
    ["with an unknown setting", { name: "w", steps: [step("a")], config: { timeoutMS: 5000 } }, "config.timeoutMS", /timeoutMs/],
  ])("%s", (_what, definition, path, message) => {
    const problems = problemsOf(definition);

    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.line).toBeGreaterThan(0);
  });

  test("with all its problems at once", () => {
    const steps = [
      { name: "A", tool: "x" },
      { ...step("b"), retry: { maxAttempts: 99 } },
    ];

    expect(problemsOf({ name: "w", steps, config: { timeoutMs: 1 } }).map(({ path }) => path)).toEqual([
      "steps[0].name",
      "steps[0].tool",
      "steps[1].retry.maxAttempts",
      "config.timeoutMs",
    ]);
  });
});

describe("a plan as tools definition", () => {
  test.each(readdirSync(examples))("is %s again", (file) => {
    const plan = planOf(JSON.parse(readFileSync(new URL(file, examples), "utf8")));

    expect(again(plan)).toEqual(plan);
  });

  test("is the same plan again, whatever the definition says", () => {
    fc.assert(
      fc.property(anyDefinition(), (definition) => {
        const plan = planOf(definition);

        expect(again(plan)).toEqual(plan);
      }),
      { numRuns: 200 },
    );
  });

  test("names what it cannot say", () => {
    const plan = planOf({ name: "w", steps: [step("a"), step("b")] });
    const [first, second] = plan.steps;
    const parallel = { ...plan, steps: [first!, { ...second!, needs: [] }] };

    expect(toTools(parallel)).toEqual({
      ok: false,
      problems: [{ path: "steps[1].needs", message: expect.stringContaining("tools cannot say") }],
    });
  });
});

function step(name: string): JsonObject {
  return { name, tool: "github.getIssue", params: { number: 1 } };
}

function planOf(definition: JsonObject): Plan {
  const result = compile(JSON.stringify(definition, null, 2), "w.json");
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return Plan.parse(result.plan);
}

function problemsOf(definition: JsonObject) {
  const result = compile(JSON.stringify(definition, null, 2), "w.json");
  return result.ok ? [] : result.problems;
}

function only(definition: JsonObject): PlanStep {
  return planOf({ name: "w", steps: [definition] }).steps[0]!;
}

/** Steps of all sorts, with references in all sorts of parameters. */
function anyDefinition(): fc.Arbitrary<JsonObject> {
  const text = fc.oneof(
    fc.string().filter((one) => !one.includes("${")),
    fc.constantFrom("${input.x}", "a ${repo.owner} b", "\\${x}", "${a[0].b}", "$${input.x}", "{{ x }}"),
  );
  const params = fc.dictionary(
    fc.string().filter((key) => key !== "__proto__"),
    fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text), fc.record({ deep: text })),
  );
  const retry = fc.record(
    {
      maxAttempts: fc.integer({ min: 1, max: 10 }),
      backoff: fc.constantFrom("fixed", "linear", "exponential"),
      initialDelayMs: fc.integer({ min: 100, max: 5000 }),
      maxDelayMs: fc.integer({ min: 5000, max: 90_000 }),
    },
    { requiredKeys: [] },
  );
  const more = fc.record(
    {
      retry,
      params,
      assign: fc.constantFrom("one", "two"),
      if: fc.constantFrom("${one}", "${!one}", "${one.a == 'x' && !two}"),
      else: fc.record({ tool: fc.constant("agent.summarize"), params }),
      timeout: fc.integer({ min: 1000 }),
      optional: fc.boolean(),
      on_failure: fc.constantFrom("stop", "continue", "retry"),
    },
    { requiredKeys: [] },
  );
  const config = fc.record(
    { timeoutMs: fc.integer({ min: 1000 }), continueOnError: fc.boolean(), maxRetries: fc.integer({ min: 0, max: 9 }) },
    { requiredKeys: [] },
  );
  return fc.record({ steps: fc.array(more, { minLength: 1, maxLength: 6 }), config }).map(({ steps, config }) => ({
    name: "any",
    steps: steps.map(({ else: other, ...rest }, i) => ({
      name: `step_${i}`,
      tool: "github.getIssue",
      ...rest,
      ...(other && rest.if && { else: other }),
    })),
    config,
  })) as fc.Arbitrary<JsonObject>;
}

function again(plan: Plan): Plan {
  const written = toTools(plan);
  if (!written.ok) throw new Error(JSON.stringify(written.problems, null, 2));
  return planOf(JSON.parse(written.text));
}
