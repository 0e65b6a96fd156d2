import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Json, JsonObject } from "../contract/json.js";
import { Plan, type PlanStep } from "../contract/plan.js";
import { compile } from "./compile.js";
import { toStages } from "./stages.js";

const providers = ["claude-code", "codex"];
const delivery = { id: "delivery", name: "Delivery", stages: ["plan", "code", "test", "check"] };

describe("a stages definition", () => {
  test("becomes a plan whose stages are done in order", () => {
    const plan = planOf({ ...delivery, description: "From an issue to code" });

    expect(plan).toMatchObject({ id: "delivery", name: "Delivery", description: "From an issue to code" });
    expect(plan.steps.map(({ key }) => key)).toEqual(["plan", "code", "test", "check"]);
  });

  test("is told by its file's name, and has its id from there when it says none", () => {
    const result = compile("name: Moon\nstages: [plan]\n", "workflows/moon.workflow.yml");

    expect(result).toMatchObject({ ok: true, dialect: "stages", plan: { id: "moon", name: "Moon" } });
  });

  test("may hold what is about the whole in a block `workflow`, and its stages at the root", () => {
    const { id, ...workflow } = delivery;
    const plan = planOf({ workflow: { id, ...workflow }, code: { role: "coder", prompt: "Write." } });

    expect(plan).toEqual(planOf({ ...delivery, stageConfigs: { code: { role: "coder", prompt: "Write." } } }));
  });

  test("may have stages of any name that is safe in a URL", () => {
    expect(planOf({ ...delivery, stages: ["dig-in", "ship_2"] }).steps.map(({ key }) => key)).toEqual(["dig-in", "ship_2"]);
  });

  test("makes one pass without a loop", () => {
    expect(planOf(delivery).flow).toEqual({ kind: "loop", max_iterations: 1 });
  });

  test("makes as many passes as loop.max_iters says, in all", () => {
    const loop = { max_iters: 5, fallback_next_stage: "code", stop_when: "$.done" };

    expect(planOf({ ...delivery, loop }).flow).toEqual({
      kind: "loop",
      max_iterations: 5,
      next: "code",
      stop_when: { truthy: ["item", "done"] },
    });
  });

  test("does not ask stop_when before loop.min_iters", () => {
    expect(planOf({ ...delivery, loop: { max_iters: 5, min_iters: 2 } }).flow).toMatchObject({ min_iterations: 2 });
  });

  test("stops when what its stage answered compares as it says", () => {
    const { flow } = planOf({ ...delivery, loop: { max_iters: 2, stop_when: "$.done == true" } });

    expect(flow).toMatchObject({ stop_when: { cel: expect.stringContaining("done") } });
  });

  test("looks for a bare name among its stages, then in what was assigned, then in the context", () => {
    expect(planOf(delivery).names).toEqual(["steps", "vars", "context"]);
  });
});

describe("a stage", () => {
  test("is done by Claude Code, which may edit files, and in its role", () => {
    expect(stage({ role: "planner", prompt: "Plan it." }).work).toEqual({
      kind: "agent",
      role: "planner",
      prompt: { literal: "Plan it." },
      default_permission: "acceptEdits",
    });
    expect(stage({ prompt: "Plan it." }).work).toEqual({
      kind: "agent",
      prompt: { literal: "Plan it." },
      permission: "acceptEdits",
    });
  });

  test("may have a profile and skills", () => {
    expect(stage({ profile: "strict", skills: ["review", "tidy"] }).work).toMatchObject({
      profile: "strict",
      skills: ["review", "tidy"],
      default_permission: "acceptEdits",
    });
    expect(stage({ profile: "${vars.profile}" }).work).toMatchObject({ profile: { ref: ["context", "profile"] } });
  });

  test("may be the name of a profile and nothing else", () => {
    expect(planOf({ ...delivery, plan: "strict" })).toEqual(planOf({ ...delivery, plan: { profile: "strict" } }));
  });

  test("may be allowed more or less", () => {
    expect(stage({ permission: "plan" }).work).toMatchObject({ permission: "plan" });
  });

  test.each([
    ["claude-code", "claude"],
    ["claude", "claude"],
    ["codex", "codex"],
    ["gemini", "gemini"],
    ["grok", "grok"],
    ["acp:my-agent --flag", "acp:my-agent --flag"],
  ])("names its agent: %s", (provider, canonical) => {
    expect(stage({ provider }).work).toMatchObject({ provider: canonical });
  });

  test.each([
    ["${vars.issue}", ["context", "issue"]],
    ["${input.issue}", ["input", "issue"]],
    ["${stages.plan.text}", ["steps", "plan", "text"]],
    ["${plan.text}", ["name", "plan", "text"]],
    ["${iteration}", ["run", "iteration"]],
  ])("finds %s in its prompt", (prompt, ref) => {
    expect(stage({ prompt }).work).toMatchObject({ prompt: { ref } });
  });

  test("finds the same in conditions", () => {
    expect(stage({ if: "${vars.mode == 'fast' && iteration > 1}" }).condition).toEqual({
      cel: "context.mode == 'fast' && run.iteration > 1",
    });
  });

  test("leaves {{ }} in its prompt as it is", () => {
    expect(stage({ prompt: "Use {{ name }}." }).work).toMatchObject({ prompt: { literal: "Use {{ name }}." } });
  });

  test("without a prompt is asked for what its name says, with the run's input and all results so far", () => {
    const prompt = promptOf(planOf(delivery), "code");

    expect(prompt.filter((part) => typeof part !== "string")).toEqual([["input"], ["steps"]]);
    expect(prompt[0]).toContain('stage "code"');
  });

  test("without a prompt, in a role that is chosen in the run, is told its role by itself", () => {
    const plan = planOf({ ...delivery, code: { role: "${vars.role}" } });

    expect(promptOf(plan, "code")[0]).toMatch(/^You do the stage "code"/);
    expect(plan.steps.find(({ key }) => key === "code")?.work).toMatchObject({ role: { ref: ["context", "role"] } });
  });

  test("without a prompt is asked in its role", () => {
    expect(promptOf(planOf({ ...delivery, stageConfigs: { code: { role: "database expert" } } }), "code")[0]).toContain(
      "database expert",
    );
  });

  test("without a prompt, when it is the last of a loop, is asked whether it is done and where to go on", () => {
    const plan = planOf({ ...delivery, loop: { max_iters: 3, stop_when: "$.done" } });

    expect(promptOf(plan, "check").join("")).toContain("recommended_next_stage");
    expect(plan.steps[3]?.output_schema).toMatchObject({ required: ["done"] });
    expect(plan.steps[0]?.output_schema).toBeUndefined();
  });

  test("with a prompt is asked for nothing else", () => {
    const loop = { max_iters: 3, stop_when: "$.done" };
    const plan = planOf({ ...delivery, loop, stageConfigs: { check: { prompt: "Check it." } } });

    expect(plan.steps[3]).toMatchObject({ work: { prompt: { literal: "Check it." } } });
    expect(plan.steps[3]?.output_schema).toBeUndefined();
  });

  test.each(["stop", "continue"] as const)("may %s after a failure", (on_failure) => {
    expect(stage({ on_failure })).toMatchObject({ on_failure });
    expect(stage({ on_failure }).retry).toBeUndefined();
  });

  test("is tried again after r, 2r and 4r seconds", () => {
    expect(stage({ on_failure: "retry", retries: 3, retry_backoff: 30 })).toMatchObject({
      on_failure: "retry",
      retry: { maxAttempts: 4, backoff: "exponential", initialDelayMs: 30_000, multiplier: 2, maxDelayMs: 3_600_000 },
    });
  });

  test("is tried three times in all when `retry` says no number", () => {
    expect(stage({ on_failure: "retry" }).retry).toMatchObject({ maxAttempts: 3, initialDelayMs: 1000 });
  });

  test("may be tried again and then gone past", () => {
    expect(stage({ on_failure: "continue", retries: 1 })).toMatchObject({ on_failure: "continue", retry: { maxAttempts: 2 } });
  });

  test("may say what is so anyway", () => {
    expect(stage({ mode: "sequential" })).toEqual(stage({}));
  });
});

describe("a parallel stage", () => {
  test("has a member for each provider, by its canonical name, and only reads", () => {
    expect(stepOf(panel({ role: "critic" }), "plan").work).toMatchObject({
      panel: {
        members: [
          { name: "claude", provider: "claude" },
          { name: "codex", provider: "codex" },
        ],
        strategy: "all",
      },
      role: "critic",
      permission: "plan",
    });
    expect(stepOf(panel({}), "plan").work).not.toHaveProperty("provider");
  });

  test("may say of each who it is, and how it is called", () => {
    const { work } = stepOf(
      panel({ providers: [{ role: "the critic" }, { provider: "claude", name: "b", model: "x" }] }),
      "plan",
    );

    expect(work).toMatchObject({
      panel: {
        members: [
          { name: "the-critic", role: "the critic" },
          { name: "b", provider: "claude", model: "x" },
        ],
      },
    });
  });

  test("is the same with `parallel_strategy`", () => {
    expect(planOf(panel({ parallel_strategy: "race" }))).toEqual(planOf(panel({ strategy: "race" })));
  });

  test("that ends a loop by majority agrees on what ends it", () => {
    const check = { mode: "parallel", providers, strategy: "majority" };
    const ending = { ...delivery, check, loop: { max_iters: 2, stop_when: "$.done" } };

    expect(stepOf(ending, "check")).toMatchObject({
      work: { panel: { agree_on: ["done"] } },
      output_schema: { required: ["done"] },
    });
    expect(stepOf({ ...ending, check: { ...check, agree_on: "summary" } }, "check")).toMatchObject({
      work: { panel: { agree_on: ["summary"] } },
    });
  });

  test("asks its agents for what later stages name of their answers", () => {
    const all = { ...panel({}), code: { prompt: "Do ${plan.claude.steps} or ${plan.codex.data.steps}, as ${plan.codex.text}" } };
    const one = { ...panel({ strategy: "race" }), code: { prompt: "Do ${plan.steps}, as ${plan.winner} says" } };

    for (const definition of [all, one]) expect(stepOf(definition, "plan").output_schema).toMatchObject({ required: ["steps"] });
  });
});

describe("a stages definition is refused", () => {
  test.each<[string, JsonObject, string, RegExp]>([
    ["with an id that is not safe in a URL", { ...delivery, id: "a b" }, "id", /URL/],
    ["without a name", { id: "a", stages: ["plan"] }, "name", /name/],
    ["without stages", { id: "a", name: "A" }, "stages", /stages/],
    ["with no stage", { ...delivery, stages: [] }, "stages", /one stage/],
    ["with a stage twice", { ...delivery, stages: ["plan", "plan"] }, "stages[1]", /"plan"/],
    ["with a stage's name that is not safe in a URL", { ...delivery, stages: ["a b"] }, "stages[0]", /URL/],
    ["with a stage's name that is taken", { ...delivery, stages: ["loop"] }, "stages[0]", /loop/],
    ["with a stage that is not listed", { ...delivery, stageConfigs: { chekc: {} } }, "stageConfigs.chekc", /check/],
    ["with an unknown block at the root", { ...delivery, chekc: {} }, "chekc", /check/],
    ["with a stage said twice", { ...delivery, plan: {}, stageConfigs: { plan: {} } }, "plan", /stageConfigs/],
    ["with an unknown field", { ...delivery, plan: { promt: "x" } }, "plan.promt", /prompt/],
    ["with no passes", { ...delivery, loop: { max_iters: 0 } }, "loop.max_iters", /1/],
    ["with a loop without bound", { ...delivery, loop: { max_iters: 1e9 } }, "loop.max_iters", /1,?000/],
    ["with a loop that does not say how often", { ...delivery, loop: {} }, "loop.max_iters", /max_iters/],
    ["with more passes than there are", { ...delivery, loop: { max_iters: 2, min_iters: 3 } }, "loop.min_iters", /max_iters/],
    [
      "with a fallback that is no stage",
      { ...delivery, loop: { max_iters: 2, fallback_next_stage: "cod" } },
      "loop.fallback_next_stage",
      /"code"/,
    ],
    ["with a condition that is none", { ...delivery, loop: { max_iters: 2, stop_when: "$.done ==" } }, "loop.stop_when", /./],
    ["with a command that is none", { ...delivery, plan: { provider: "acp:" } }, "plan.provider", /"acp:" names no command/],
    ["with an unknown provider", { ...delivery, plan: { provider: "cluade-code" } }, "plan.provider", /claude-code/],
    ["with a parallel stage of nobody", { ...delivery, plan: { mode: "parallel" } }, "plan.mode", /needs "providers"/],
    ["with several providers one after the other", { ...delivery, plan: { providers } }, "plan.providers", /"mode: parallel"/],
    [
      "with a single parallel provider",
      { ...delivery, plan: { mode: "parallel", providers: ["codex"] } },
      "plan.providers",
      /2 to 10/,
    ],
    ["with two of one name", panel({ providers: ["codex", "codex"] }), "plan.providers[1]", /"codex".*"name"/],
    ["with a parallel provider that is none", panel({ providers: ["claude", "clade"] }), "plan.providers[1]", /"claude"/],
    ["with a parallel provider without a name", panel({ providers: ["claude", { model: "x" }] }), "plan.providers[1]", /"role"/],
    ["with a provider besides the parallel ones", panel({ provider: "claude" }), "plan.provider", /"providers" says/],
    [
      "with parallel agents that may write",
      panel({ permission: "acceptEdits" }),
      "plan.permission",
      /share one tree.*"acceptEdits"/,
    ],
    ["with a parallel command", panel({ command: "ls" }), "plan.mode", /is for agents/],
    ["with an unknown strategy of providers", panel({ strategy: "vote" }), "plan.strategy", /all, race, majority/],
    ["with fields to agree on in a race", panel({ strategy: "race", agree_on: "ok" }), "plan.agree_on", /"strategy: majority"/],
    ["with a limit of turns that one of them does not know", panel({ max_turns: 3 }), "plan.max_turns", /Codex/],
    ["with a skill that no file has", { ...delivery, plan: { skills: ["../review"] } }, "plan.skills[0]", /URL/],
    ["with a profile that no file has", { ...delivery, plan: { profile: "a b" } }, "plan.profile", /URL/],
    ["with such a profile as its whole block", { ...delivery, plan: "a/b" }, "plan", /"profile".*URL/],
    ["with an unknown strategy", { ...delivery, plan: { on_failure: "ignore" } }, "plan.on_failure", /continue/],
    ["with negative retries", { ...delivery, plan: { retries: -1 } }, "plan.retries", /0/],
    ["with a backoff and nothing to try again", { ...delivery, plan: { retry_backoff: 5 } }, "plan.retry_backoff", /retries/],
    ["with a prompt that refers to nothing", { ...delivery, plan: { prompt: "${}" } }, "plan.prompt", /names nothing/],
  ])("%s", (_what, definition, path, message) => {
    const problems = problemsOf(definition);

    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.line).toBeGreaterThan(0);
  });

  test("when its id is not its file's name", () => {
    const result = compile(stringify(delivery), "other.workflow.yml");

    expect(result).toMatchObject({ ok: false, problems: [{ path: "id" }] });
  });
});

describe("a plan as stages definition", () => {
  test.each<[string, JsonObject]>([
    ["with default prompts", delivery],
    [
      "with a loop",
      { ...delivery, loop: { max_iters: 4, min_iters: 2, fallback_next_stage: "code", stop_when: "$.done == true" } },
    ],
    [
      "with all a stage can say",
      {
        ...delivery,
        plan: { role: "planner", prompt: "Do ${vars.x} of $5 \\${y}", on_failure: "continue" },
        code: { role: "coder", profile: "${vars.profile}", skills: ["tidy"], provider: "claude", permission: "plan" },
      },
    ],
    ["with retries", { ...delivery, code: { on_failure: "retry", retries: 4, retry_backoff: 2.5 } }],
    [
      "with several agents",
      panel({
        providers: ["codex", { name: "second", provider: "claude", model: "${vars.model}" }, { role: "critic" }],
        strategy: "majority",
        agree_on: ["ok", "risk"],
      }),
    ],
  ])("is the same plan again: %s", (_what, definition) => {
    const plan = planOf(definition);
    const written = toStages(plan);

    if (!written.ok) throw new Error(JSON.stringify(written.problems));
    expect(compile(written.text, "file.yaml")).toMatchObject({ plan });
  });

  test("names what it cannot say", () => {
    const plan: Plan = { ...planOf(delivery), flow: { kind: "graph", by_level: true } };
    const written = toStages(plan);

    expect(written).toEqual({
      ok: false,
      problems: [
        { path: "flow.kind", message: expect.stringContaining("stages cannot say") },
        expect.anything(),
        expect.anything(),
      ],
    });
  });
});

/** Its stage `plan` is parallel. */
function panel(more: JsonObject): JsonObject {
  return { ...delivery, plan: { mode: "parallel", providers, ...more } };
}

function planOf(definition: JsonObject): Plan {
  const result = compiled(stringify(definition));
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return Plan.parse(result.plan);
}

function problemsOf(definition: JsonObject) {
  const result = compiled(stringify(definition));
  return result.ok ? [] : result.problems;
}

/** A file of stages is known by its name; the id of these tests is in it where they say one. */
function compiled(text: string) {
  return compile(`dialect: stages\n${text}`, "file.yaml");
}

/** The stage `plan` of a definition in which it alone is described. */
function stage(config: JsonObject): PlanStep {
  return planOf({ ...delivery, stageConfigs: { plan: { prompt: "Plan.", ...config } } }).steps[0]!;
}

function stepOf(definition: JsonObject, key: string): PlanStep {
  return planOf(definition).steps.find((step) => step.key === key)!;
}

function promptOf(plan: Plan, key: string): Json[] {
  const work = plan.steps.find((step) => step.key === key)?.work;
  if (work?.kind !== "agent" || !("text" in work.prompt)) throw new Error(`${key} has no prompt with references`);
  return work.prompt.text;
}
