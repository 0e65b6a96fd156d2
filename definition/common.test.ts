import { describe, expect, test } from "vitest";
import { Plan } from "../contract/plan.js";
import { planOf, problemsOf, stepOf } from "../test/support/definitions.js";

/** What steps can say in every dialect, tried in the two that leave most to the common part. */
describe.each([
  ["phases", "id"],
  ["dag", "key"],
])("a step of %s", (dialect, keyWord) => {
  const definition = (step: object, top: object = {}) => ({
    dialect,
    name: "w",
    ...top,
    steps: [{ [keyWord]: "a", command: "make", ...step }],
  });
  const bare = (step: object) => ({ dialect, name: "w", steps: [{ [keyWord]: "a", ...step }] });

  test.each([
    ["name", { name: "Make it" }, { name: "Make it" }],
    ["phase", { phase: "build" }, { phase: "build" }],
    ["if", { if: "{{ input.go }}" }, { condition: { truthy: ["input", "go"] } }],
    ["timeout", { timeout: "2 minutes" }, { timeout_ms: 120_000 }],
    ["idle_timeout", { idle_timeout: "30s" }, { idle_timeout_ms: 30_000 }],
    ["on_failure", { on_failure: "continue" }, { on_failure: "continue" }],
    ["optional", { optional: true }, { optional: true }],
    ["assign", { assign: "built" }, { assign: "built" }],
    ["summary", { summary: "makes {{ input.x }}" }, { summary: { text: ["makes ", ["input", "x"]] } }],
    ["output_schema", { output_schema: { type: "object" } }, { output_schema: { type: "object" } }],
    ["for_each", { for_each: "{{ input.files }}" }, { for_each: { items: { ref: ["input", "files"] }, concurrency: 1 } }],
    ["concurrency", { for_each: [1, 2], concurrency: 4 }, { for_each: { items: { literal: [1, 2] }, concurrency: 4 } }],
    ["cwd", { cwd: "web" }, { work: { cwd: { literal: "web" } } }],
    ["env", { env: { CI: "1", N: 2 } }, { work: { env: { CI: { literal: "1" }, N: { literal: 2 } } } }],
    ["allow_failure", { allow_failure: true }, { work: { allow_failure: true } }],
  ])("has %s", (_, step, expected) => {
    const plan = planOf(definition(step));

    expect(Plan.parse(plan).steps[0]).toMatchObject(expected);
  });

  test.each([
    [
      { type: "approval", message: "Go?" },
      { kind: "approval", message: { literal: "Go?" } },
    ],
    [
      { message: "Go?", deadline: "1h", default: "reject" },
      { kind: "approval", deadline_ms: 3_600_000, default: "reject" },
    ],
    [
      { message: "Go?", fields: { type: "object" } },
      { kind: "approval", fields: { type: "object" } },
    ],
    [
      { type: "sleep", duration: "2 hours" },
      { kind: "sleep", duration: { literal: "2 hours" } },
    ],
    [{ duration: "{{ input.pause }}" }, { kind: "sleep", duration: { ref: ["input", "pause"] } }],
    [
      { type: "wait", event: "merged-{{ run.id }}" },
      { kind: "wait", event: { text: ["merged-", ["run", "id"]] } },
    ],
    [
      { event: "merged", deadline: "2d" },
      { kind: "wait", deadline_ms: 172_800_000 },
    ],
    [
      { workflow: "child", input: { n: "{{ input.n }}" } },
      { kind: "workflow", input: { map: { n: { ref: ["input", "n"] } } } },
    ],
    [
      { tool: "github.getIssue", params: { number: 7 } },
      { kind: "tool", server: "github", tool: "getIssue", params: { literal: { number: 7 } } },
    ],
    [{ type: "shell", command: "make" }, { kind: "shell" }],
    [{ type: "script", command: "make" }, { kind: "shell" }],
    [
      { type: "agent", agent: "claude", prompt: "p" },
      { kind: "agent", provider: "claude" },
    ],
    [
      { prompt: "p", provider: "acp:my-agent --flag" },
      { kind: "agent", provider: "acp:my-agent --flag" },
    ],
    [
      { prompt: "p", agent: "codex" },
      { kind: "agent", provider: "codex" },
    ],
    [
      { agent: "claude", role: "critic", prompt: "p" },
      { kind: "agent", role: "critic" },
    ],
    [
      { role: "critic", profile: "{{ input.profile }}", skills: ["review", "tidy"], prompt: "p" },
      { kind: "agent", role: "critic", profile: { ref: ["input", "profile"] }, skills: ["review", "tidy"] },
    ],
    [
      { prompt: "p", mcp_servers: ["tickets", "files"] },
      { kind: "agent", mcp_servers: ["tickets", "files"] },
    ],
    [
      { prompt: "p", model: "m", permission: "plan", max_turns: 3, budget: { usd: 0.5, on_reached: "ask" } },
      { kind: "agent", model: "m", permission: "plan", max_turns: 3, budget: { usd: 0.5, on_reached: "ask" } },
    ],
    [
      { prompt: "p", ask: false },
      { kind: "agent", ask: false },
    ],
    [
      { prompt: "p", ask: { deadline: "1h", default: "deny" } },
      { kind: "agent", ask: { deadline_ms: 3_600_000, default: "deny" } },
    ],
    [
      {
        prompt: "p",
        verify: [
          { tree_changed: true },
          { file_exists: "docs/{{ input.x }}.md" },
          { command: "make check", timeout: "2 minutes" },
          { branch_pushed: true },
          { branch_pushed: "fix" },
        ],
      },
      {
        verify: [
          { tree_changed: true },
          { file_exists: { text: ["docs/", ["input", "x"], ".md"] } },
          { command: { literal: "make check" }, timeout_ms: 120_000 },
          { branch_pushed: true },
          { branch_pushed: { literal: "fix" } },
        ],
      },
    ],
    [
      { prompt: "p", system_prompt: "be brief" },
      { kind: "agent", system_prompt: { literal: "be brief" } },
    ],
    [
      { prompt: "p", agent: "{{ input.agent }}", model: "{{ input.size }}-latest", role: "{{ input.role }}" },
      {
        provider: { ref: ["input", "agent"] },
        model: { text: [["input", "size"], "-latest"] },
        role: { ref: ["input", "role"] },
      },
    ],
    [
      { prompt: "p", provider: "{{ input.agent }}", agent: "security" },
      { provider: { ref: ["input", "agent"] }, role: "security" },
    ],
  ])("can be %j", (step, work) => {
    expect(planOf(bare(step)).steps[0]?.work).toMatchObject(work);
  });

  test.each([
    [{}, "Nothing says what a step does"],
    [{ type: "function" }, "write the workflow in TypeScript"],
    [{ type: "scrpt", command: "x" }, 'Did you mean "script"?'],
    [{ command: "x", promt: "y" }, 'Unknown key "promt"'],
    [{ command: "x", forEach: [] }, 'Did you mean "for_each"?'],
    [{ command: "x", timeout: 30 }, 'Write "30s" or 30000'],
    [{ command: "x", timeout: "soon" }, "milliseconds, or a text such as"],
    [{ command: "x", timeout: "400000 days" }, "at most ten years"],
    [{ type: "sleep", duration: 1e99 }, "up to ten years"],
    [{ command: "x", else: { command: "y" } }, '"else" needs an "if"'],
    [{ command: "x", for_each: "files" }, "one reference to a list"],
    [{ command: "x", concurrency: 2 }, '"for_each", which is missing'],
    [{ command: "x", retry: 3 }, "true, false or a map"],
    [{ command: "x", retry: { maxAttempts: 0 } }, "at least 1"],
    [{ command: "x", retry: { maxAttempts: 2, retries: 1 } }, "say the same"],
    [{ command: "x", on_failure: "ignore" }, "one of stop, continue, retry"],
    [{ command: "x", assign: "input" }, "begins references"],
    [{ command: "x", if: "a ==" }, "cannot be read"],
    [{ command: "x {{ y" }, "not closed"],
    [{ command: "x", output_schema: { type: "objekt" } }, "no valid JSON schema"],
    [{ command: "x", env: { "A-B": "1" } }, "environment variable"],
    [{ command: "{{constructor.constructor('return process')()}}" }, "is no reference"],
    [{ tool: "nodot" }, "a server's name, a dot"],
    [{ prompt: "p", verify: [] }, "lists no checks"],
    [{ prompt: "p", verify: [{}] }, "Write one of tree_changed, file_exists, command, branch_pushed"],
    [{ prompt: "p", verify: [{ tree_changed: false }] }, "is true, or left out"],
    [{ prompt: "p", verify: [{ tree_changed: true, command: "x" }] }, "into a check of its own"],
    [{ prompt: "p", verify: [{ file_exists: "docs/../../x" }] }, "inside it"],
    [{ prompt: "p", verify: [{ file_exists: "/etc/passwd" }] }, "inside it"],
    [{ prompt: "p", verify: [{ file_exists: "x", timeout: "1s" }] }, 'Unknown key "timeout"'],
    [{ prompt: "p", verify: [{ command: "cat <<{{ input.x }}" }] }, "cannot stand where it does"],
    [{ prompt: "p", verify: [{ file_exists: "{{ steps.nowhere.path }}" }] }, 'There is no step "nowhere"'],
    [{ command: "x", verify: [{ tree_changed: true }] }, 'Unknown key "verify"'],
    [{ prompt: "p", ask: "1h" }, '"ask" must be false, or a map'],
    [{ prompt: "p", ask: { deadline: "1h", default: "reject" } }, "one of allow, deny"],
    [{ prompt: "p", ask: { deadline: 30 } }, "is in milliseconds"],
    [{ prompt: "p", ask: { until: "1h" } }, 'Unknown key "until"'],
    [{ prompt: "p", agent: "acp:" }, '"acp:" names no command'],
    [{ prompt: "p", provider: "acp:my-agent 'open" }, "quotes closed"],
    [{ prompt: "p", agent: "acp:my-agent", max_turns: 3 }, "started by a command cannot be ended after a number of turns"],
    [{ prompt: "p", agent: "codex", max_turns: 3 }, "Codex cannot be ended after a number of turns"],
    [{ prompt: "p", agent: "codex", budget: { usd: 1 } }, "Codex does not say what it costs"],
    [{ prompt: "p", budget: { usd: 0 } }, '"usd" must be at least'],
    [{ prompt: "p", budget: { euros: 1 } }, 'Unknown key "euros"'],
    [{ prompt: "p", budget: { on_reached: "ask" } }, "says nothing of what may be spent"],
    [{ prompt: "p", provider: "clyde" }, 'Did you mean "claude"?'],
    [{ prompt: "p", profile: "../strict" }, "safe in a URL"],
    [{ prompt: "p", skills: ["a/b"] }, "safe in a URL"],
    [{ prompt: "p", mcp_servers: ["tickets.search"] }, "letters a to z, digits"],
    [{ command: "x", skills: ["review"] }, 'Unknown key "skills"'],
    [{ prompt: "p", agent: "{{ steps.nowhere.agent }}" }, 'There is no step "nowhere"'],
    [{ prompt: "p", agent: "{{ input.agent }}", provider: "claude" }, 'Unknown key "provider"'],
  ])("is refused when it is %j", (step, words) => {
    expect(problemsOf(bare(step)).join("\n")).toContain(words);
  });

  test.each(["../x", "a b", "a.b", "x".repeat(101), "input", ""])("cannot have the key %j", (key) => {
    expect(problemsOf(definition({ [keyWord]: key }))).toHaveLength(1);
  });

  test("does something else when its condition is not met, and what follows waits for both", () => {
    const plan = planOf({
      dialect,
      name: "w",
      steps: [
        { [keyWord]: "a", if: "{{ input.go }}", phase: "p", command: "go", else: { command: "stay", timeout: "1s" } },
        { [keyWord]: "b", command: "end", ...(dialect === "dag" && { dependencies: ["a"] }) },
      ],
    });

    expect(stepOf(plan, "a-else")).toEqual({
      key: "a-else",
      needs: [],
      phase: "p",
      work: { kind: "shell", command: { literal: "stay" } },
      condition: { not: { truthy: ["input", "go"] } },
      on_failure: "stop",
      timeout_ms: 1000,
    });
    expect(stepOf(plan, "b").needs).toEqual(["a", "a-else"]);
  });

  test("cannot be called as another step's else", () => {
    const steps = [
      { [keyWord]: "a", if: "input.go", command: "go", else: { command: "stay" } },
      { [keyWord]: "a-else", command: "x" },
    ];

    expect(problemsOf({ dialect, name: "w", steps }).join()).toContain('Duplicate step key: "a-else"');
  });

  test("can be done at the end: after a failure, and whatever happens", () => {
    const plan = planOf(
      definition(
        {},
        {
          on_failure: [{ [keyWord]: "undo", command: "undo {{ steps.a }}" }],
          finally: [{ [keyWord]: "clean", command: "clean" }],
        },
      ),
    );

    expect(plan.on_failure?.map(({ key }) => key)).toEqual(["undo"]);
    expect(plan.finally?.map(({ key }) => key)).toEqual(["clean"]);
    expect(plan.steps.map(({ key }) => key)).toEqual(["a"]);
  });

  test.each([
    ["input", { input: { type: "object" } }, { input_schema: { type: "object" } }],
    ["argsSchema", { argsSchema: { type: "object" } }, { input_schema: { type: "object" } }],
    ["tags", { tags: ["x"] }, { tags: ["x"] }],
    ["author", { author: "me" }, { author: "me" }],
    ["version", { version: "1.0" }, { version: "1.0" }],
    ["timeout", { timeout: "1h" }, { timeout_ms: 3_600_000 }],
    ["timeout, none", { timeout: 0 }, { timeout_ms: 0 }],
    ["phases", { phases: ["build", "ship"] }, { phases: ["build", "ship"] }],
  ])("belongs to a definition with %s", (_, top, expected) => {
    expect(planOf(definition({}, top))).toMatchObject(expected);
  });

  test("must be of a phase that is listed", () => {
    expect(problemsOf(definition({ phase: "biuld" }, { phases: ["build"] })).join()).toContain('Did you mean "build"?');
    expect(planOf(definition({ phase: "build" })).phases).toEqual(["build"]);
  });
});

describe("retry", () => {
  const retryOf = (retry: unknown) =>
    planOf({ name: "w", steps: [{ id: "a", type: "script", command: "x", retry }] }).steps[0]?.retry;

  test.each([
    [{ maxAttempts: 4 }, 4],
    [{ maxRetries: 4 }, 5],
    [{ retries: 4 }, 5],
    [{}, 3],
    [true, 3],
  ])("%j is %i tries in all", (retry, maxAttempts) => {
    expect(retryOf(retry)).toMatchObject({ maxAttempts });
  });

  test("false is not left out: a try that was lost is not made again either", () => {
    expect(retryOf(false)).toBe(false);
    expect(retryOf(undefined)).toBeUndefined();
  });

  test.each([
    [{ initialDelayMs: 500 }, { initialDelayMs: 500 }],
    [{ retryDelayMs: 500 }, { initialDelayMs: 500 }],
    [{ delay: "5s" }, { initialDelayMs: 5000 }],
    [{ maxDelayMs: 9000 }, { maxDelayMs: 9000 }],
    [{ maxDelay: "9s" }, { maxDelayMs: 9000 }],
    [{ multiplier: 3 }, { multiplier: 3 }],
    [{ retryBackoffMultiplier: 3 }, { multiplier: 3 }],
    [{ backoff: "linear" }, { backoff: "linear" }],
    [{ retryableErrors: ["timeout"] }, { retryableErrors: ["timeout"] }],
  ])("%j says %j", (retry, expected) => {
    expect(retryOf(retry)).toMatchObject(expected);
  });
});
