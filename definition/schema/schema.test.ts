import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Json, JsonObject } from "../../contract/json.js";
import { compile } from "../compile.js";
import { dagSchema } from "./dag.js";
import type { Schema } from "./parts.js";
import { phasesSchema } from "./phases.js";
import { stagesSchema } from "./stages.js";
import { toolsSchema } from "./tools.js";

const schemas = { phases: phasesSchema, stages: stagesSchema, dag: dagSchema, tools: toolsSchema };
const examples = new URL("../../examples/tools/", import.meta.url);

describe.each(Object.entries(schemas))("the schema of %s", (dialect, schema) => {
  const accepts = validator(schema);

  test("is what `schemas/` holds; `npx vitest run definition/schema -u` writes it anew", async () => {
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(`../../schemas/${dialect}.schema.json`);
  });

  test("is one that ajv takes in strict mode, as draft-07", () => {
    expect(schema.$schema).toBe("http://json-schema.org/draft-07/schema#");
    expect(() => validator(schema)).not.toThrow();
  });

  test("says of each field what it is", () => {
    expect(undescribed(schema)).toEqual([]);
  });

  test("takes the definition in which everything is said", () => {
    expect(verdict(full[dialect] ?? {})).toEqual([]);
    expect(accepts(full[dialect])).toBe(true);
  });

  test("refuses nothing that can be compiled", () => {
    const wrong = mutantsOf(full[dialect] ?? {}).filter(
      ({ definition }) => !accepts(definition) && verdict(definition).length === 0,
    );

    expect(wrong.map(({ what }) => what)).toEqual([]);
  });

  test("refuses whatever the compiler refuses for its shape", () => {
    const wrong = mutantsOf(full[dialect] ?? {}).flatMap(({ what, definition }) => {
      const problems = verdict(definition).filter((problem) => !BEYOND_SHAPE.test(problem));
      return problems.length > 0 && accepts(definition) ? [`${what}: ${problems[0]}`] : [];
    });

    expect(wrong).toEqual([]);
  });
});

test.each(readdirSync(examples))("the schema of tools takes the example %s", (file) => {
  expect(validator(toolsSchema)(JSON.parse(readFileSync(new URL(file, examples), "utf8")))).toBe(true);
});

test.each<[string, (definition: JsonObject, step: JsonObject) => void]>([
  ["has no name", (definition) => delete definition.name],
  ["has a name in capitals", (definition) => (definition.name = "IssueToPr")],
  ["has no steps", (definition) => delete definition.steps],
  ["has an empty list of steps", (definition) => (definition.steps = [])],
  ["has a step without a name", (_, step) => delete step.name],
  ["has a step without a tool", (_, step) => delete step.tool],
  ["has a tool without its server", (_, step) => (step.tool = "getIssue")],
  ["has parameters that are a list", (_, step) => (step.params = [])],
  ["has a condition without braces", (_, step) => (step.if = "issue")],
  ["tries eleven times", (_, step) => (step.retry = { maxAttempts: 11 })],
  ["backs off in an unknown way", (_, step) => (step.retry = { backoff: "random" })],
  ["waits 99 ms", (_, step) => (step.retry = { initialDelayMs: 99 })],
  ["has a timeout under a second", (definition) => (definition.config = { timeoutMs: 999 })],
  ["has a step with an unknown key", (_, step) => (step.parms = {})],
])("the schema of tools refuses a definition that %s", (_what, change) => {
  const definition = JSON.parse(readFileSync(new URL("issue_to_pr.json", examples), "utf8"));
  change(definition, definition.steps[0]);

  expect(validator(toolsSchema)(definition)).toBe(false);
});

test("ajv takes the files of the package as they are", () => {
  for (const dialect of Object.keys(schemas)) {
    const text = readFileSync(new URL(`../../schemas/${dialect}.schema.json`, import.meta.url), "utf8");
    expect(() => validator(JSON.parse(text))).not.toThrow();
  }
});

/** Problems that no schema can see: what one part says of another, and what lies within texts. */
const BEYOND_SHAPE =
  /no step|lists no|Unknown key "(plan|code|check|review|vote)"|Duplicate|listed twice|refers to|names nothing|no reference|not closed|cannot be read|begins references|no valid JSON schema|must not be|names a role already|does not list|described here|means something else|is called|are called|has to agree|a duration|"duration"|milliseconds|Cycle|depends on|No step|There is no|needs "retries"|"approvers" has \d/;

/** In each dialect a definition that says everything that its schema has. */
const full: Record<string, JsonObject> = {
  phases: parse(`
$schema: ../phases.schema.json
dialect: phases
name: Ship it
description: Test and ship
version: "1.2"
author: Ada
tags: [ship]
phases: [check, ship]
input: { type: object, properties: { files: { type: array }, tag: { type: string } } }
timeout: 2 hours
budget: { usd: 5 }
steps:
  - { id: plan, name: Plan, type: agent, phase: check, agent: claude, prompt: "Plan {{ input.tag }}", role: planner, profile: strict, skills: [tidy], mcp_servers: [tickets], system_prompt: Be brief., model: x, permission: plan, max_turns: 5, ask: { deadline: 1h, default: deny }, budget: { tokens: 5000, turns: 9, minutes: 2.5, on_reached: ask } }
  - { id: code, prompt: Code., ask: false, verify: [{ tree_changed: true }, { file_exists: "{{ input.tag }}.md" }, { command: npm test, timeout: 60s }, { branch_pushed: true }, { branch_pushed: main }] }
  - id: test
    type: script
    phase: check
    command: npm test
    cwd: app
    env: { CI: "1" }
    allow_failure: true
    if: input.tag
    else: { type: sleep, duration: 5s, phase: check }
    for_each: "{{ input.files }}"
    concurrency: 2
    timeout: 5000
    idle_timeout: 30s
    retry: { maxAttempts: 3, backoff: linear, initialDelayMs: 500, maxDelayMs: 5000, multiplier: 2, retryableErrors: [shell_failed] }
    on_failure: continue
    optional: true
    output_schema: { type: object }
    assign: tests
    summary: The tests
  - { id: sure, type: approval, message: Ship?, fields: { type: object }, deadline: 2000, default: reject, approvers: [ana, ben], required: 2, rejections: 1, remind_every: 4h, on_reject: { rework: plan, times: 2 } }
  - { id: rest, type: sleep, duration: 2s }
  - { id: go, type: wait, event: go, deadline: 1 hour }
  - { id: call, type: tool, tool: deploy.deploy, params: { tag: "{{ input.tag }}" } }
  - { id: sub, type: workflow, workflow: notify, input: { tag: 1 } }
on_failure:
  - { id: sorry, type: shell, command: echo failed }
finally:
  - { id: end, type: shell, command: echo over }
`),
  dag: parse(`
dialect: dag
name: review
steps:
  - key: scan
    name: Scan
    agent: security
    prompt: "Scan {{ changes }}"
    parallel: false
    optional: true
    timeoutMs: 5000
    retryPolicy: { maxRetries: 2, retryDelayMs: 100, retryBackoffMultiplier: 2, retryableErrors: [agent_failed] }
    outputSchema: { type: object }
    description: Looks for holes
  - { key: fix, dependencies: [scan], action: fix, description: what was found, agent: claude, retries: 2, continueOnError: true, verify: [{ tree_changed: true }] }
  - { key: check, dependsOn: [fix], type: script, command: npm test, retry: true, timeout: 60s }
config: { timeout: 300000, maxRetries: 1, checkpointInterval: 60000, parallelism: 3, continueOnError: true }
`),
  stages: parse(`
dialect: stages
id: delivery
name: Delivery
stages: [plan, code, check, review, vote]
loop: { max_iters: 3, min_iters: 2, fallback_next_stage: code, stop_when: $.done }
stageConfigs:
  plan: { name: Plan it, provider: claude-code, role: planner, profile: strict, skills: [review], mode: sequential, prompt: "\${vars.issue}", permission: plan }
  code: { on_failure: retry, retries: 2, retry_backoff: 1.5, timeout: 1 hour, assign: change, verify: [{ file_exists: "\${vars.issue}.md" }] }
check: { command: npm test, retry: { maxAttempts: 2 }, if: "\${plan.text}", else: { prompt: Check it. } }
review: strict
vote:
  mode: parallel
  providers: [claude-code, { name: second, provider: codex, role: critic, model: x }, { role: tester }]
  strategy: majority
  agree_on: [done, why]
  permission: plan
  prompt: Is it done?
finally:
  - { key: end, command: echo over }
`),
  tools: parse(`
dialect: tools
name: triage
description: Sorts an issue
steps:
  - name: fetch
    tool: github.getIssue
    params: { number: "\${input.number}" }
    assign: issue
    retry: { maxAttempts: 3, backoff: linear, initialDelayMs: 500, maxDelayMs: 5000, multiplier: 2, retryableErrors: [tool_failed] }
  - { name: label, tool: github.addLabels, params: { labels: [a] }, if: "\${issue.open == true}", else: { tool: github.createComment, params: {} } }
  - { name: check, type: script, command: npm test, on_failure: continue }
  - { name: mend, prompt: "Mend it.", verify: [{ command: "npm test" }] }
config: { timeoutMs: 10000, continueOnError: true, maxRetries: 2 }
`),
};

const OTHERS: Json[] = ["", "a b", "x", "${a}", -1, 0, 0.5, 99, 1e7, true, [], ["x"], [1], {}, { x: 1 }];

/** The definition with one thing changed: each key taken away or given another value, and a key put into each map. */
function mutantsOf(definition: JsonObject): { what: string; definition: JsonObject }[] {
  return pathsOf(definition).flatMap((path) => {
    const mutants =
      path.length === 0 ? [] : OTHERS.map((value) => changed(definition, path, `= ${JSON.stringify(value)}`, () => value));
    const isMap = typeof at(definition, path) === "object" && !Array.isArray(at(definition, path));
    return [
      ...mutants,
      ...(path.length > 0 ? [changed(definition, path, "taken away", () => undefined)] : []),
      ...(isMap ? [changed(definition, [...path, "unheard_of"], "put in", () => 1)] : []),
    ];
  });
}

function changed(definition: JsonObject, path: (string | number)[], how: string, value: () => Json | undefined) {
  const copy = structuredClone(definition);
  const last = path.at(-1) ?? "";
  const parent = at(copy, path.slice(0, -1)) as Record<string | number, Json>;
  const changedTo = value();
  if (changedTo !== undefined) parent[last] = changedTo;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return { what: `${path.join(".")} ${how}`, definition: copy };
}

function pathsOf(value: Json, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value).filter((key) => key !== "dialect");
  const isFree = ["params", "input", "output_schema", "outputSchema", "fields"].includes(String(path.at(-1)));
  return [
    path,
    ...(isFree ? [] : keys.flatMap((key) => pathsOf((value as Record<string | number, Json>)[key] ?? null, [...path, key]))),
  ];
}

function at(value: Json, path: (string | number)[]): Json {
  return path.reduce<Json>((from, key) => (from as Record<string | number, Json>)[key] ?? null, value);
}

/** What the compiler says against it. */
function verdict(definition: JsonObject): string[] {
  const result = compile(JSON.stringify(definition), "definition.json");
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

function validator(schema: Schema): (definition: unknown) => boolean {
  const validate = new Ajv({ strict: true, allErrors: true }).compile(schema);
  return (definition) => validate(definition);
}

/** Places of properties without a description. */
function undescribed(schema: Json, path = ""): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const properties = (schema as JsonObject).properties;
  const bare =
    typeof properties === "object" && properties !== null && !Array.isArray(properties) ? Object.entries(properties) : [];
  return [
    ...bare
      .filter(([, value]) => value !== true && !("description" in Object(value)) && !("$ref" in Object(value)))
      .map(([key]) => `${path}.${key}`),
    ...Object.entries(schema).flatMap(([key, value]) => undescribed(value, `${path}.${key}`)),
  ];
}
