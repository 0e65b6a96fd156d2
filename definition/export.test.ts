import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Plan } from "../contract/plan.js";
import { packageRoot } from "../package-root.js";
import { planOf } from "../test/support/definitions.js";
import { compile } from "./compile.js";
import { toDag } from "./dag.js";
import { toPhases } from "./phases.js";

const dialects = [
  ["phases", "id", toPhases],
  ["dag", "key", toDag],
] as const;

describe.each(dialects)("a plan of %s", (dialect, keyWord, write) => {
  const texts = fc.stringMatching(/^[a-z :#'"\\{}$\n-]{0,20}x$/).filter((text) => !text.includes("{{"));
  const templates = fc.oneof(
    texts,
    fc.constantFrom("{{ input.a }}", "a {{ input.b-c[0] }} b", "\\{{ x }}", "\\\\{{ input.a }}", `\${HOME}`),
  );
  const works = fc.oneof(
    fc.record(
      { command: templates, cwd: templates, env: fc.dictionary(fc.stringMatching(/^[A-Z]{1,3}$/), templates) },
      { requiredKeys: ["command"] },
    ),
    fc.record(
      {
        prompt: templates,
        agent: fc.constantFrom("claude", "{{ input.agent }}"),
        role: fc.constantFrom("critic", "{{ input.role }} of tests"),
        profile: fc.constantFrom("strict", "{{ input.profile }}"),
        skills: fc.constantFrom([], ["tidy", "review"]),
        mcp_servers: fc.constantFrom(["tickets"], ["tickets", "files"]),
        model: fc.constantFrom("opus", "\\{{ x }}", "{{ input.model }}"),
        permission: fc.constantFrom("plan", "default"),
        ask: fc.constantFrom(false, { deadline: "1h", default: "deny" }, { deadline: 5000 }),
        verify: fc.constantFrom(
          [{ tree_changed: true }, { branch_pushed: true }],
          [{ file_exists: "{{ input.a }}.md" }, { command: "npm test", timeout: "500ms" }, { branch_pushed: "x{{ input.a }}" }],
        ),
      },
      { requiredKeys: ["prompt"] },
    ),
    fc.record({
      tool: fc.constant("a.b"),
      params: fc.dictionary(fc.string(), fc.oneof(templates, fc.nat(), fc.array(templates))),
    }),
    fc.record({ activity: fc.constant("publish"), params: fc.dictionary(fc.string(), templates) }),
    fc.record(
      { message: templates, deadline: fc.constantFrom("1h", "500ms"), default: fc.constant("reject") },
      { requiredKeys: ["message"] },
    ),
    fc.record({ duration: fc.constantFrom("2 hours", 5, "{{ input.a }}") }),
    fc.record({ event: templates, deadline: fc.constant(5000) }, { requiredKeys: ["event"] }),
    fc.record({ workflow: fc.constant("child"), input: fc.dictionary(fc.constantFrom("a", "b"), templates) }),
  );
  const common = fc.record(
    {
      name: fc.constant("A name: so"),
      if: fc.constantFrom("{{ input.go }}", "!input.go", "input.n > 3", true),
      for_each: fc.constantFrom("{{ input.files }}", [1, "{{ input.a }}"]),
      retry: fc.constantFrom(true, false, { retries: 4, delay: 7, retryableErrors: ["x"] }),
      timeout: fc.constantFrom("500ms", 5000),
      on_failure: fc.constantFrom("continue", "retry"),
      optional: fc.constant(true),
      assign: fc.constant("got"),
      summary: templates,
      output_schema: fc.constant({ type: "object", properties: { a: { type: "string" } } }),
    },
    { requiredKeys: [] },
  );
  const elses = fc.option(works, { nil: undefined });
  const steps = fc.array(fc.tuple(works, common, elses), { minLength: 1, maxLength: 6 }).map((parts) =>
    parts.map(([work, more, other], i) => ({
      [keyWord]: `s${i}`,
      ...work,
      ...more,
      ...(more.if !== undefined && other && { else: other }),
      ...(dialect === "dag" && i > 1 && { dependencies: [`s${i - 2}`] }),
    })),
  );

  test("can be written and read again, and is the same", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom("yaml" as const, "json" as const), (list, format) => {
        const top = { dialect, name: "w", description: "d", version: "1.10", tags: ["t"], timeout: "2h", activities: "./f.ts" };
        const plan = planOf({ ...top, steps: list });
        const result = write(plan, format);
        if (!result.ok) throw new Error(JSON.stringify(result.problems));
        expect(compile(result.text, `a.${format}`)).toMatchObject({ ok: true, plan, dialect });
      }),
    );
  });
});

test.each([...readdirSync(join(packageRoot, "test/data/yaml")).map((file) => ["yaml", file]), ["dag", "code-review.yaml"]])(
  "%s/%s can be written again",
  (folder, file) => {
    const plan = planOf(readFileSync(join(packageRoot, "test/data", folder, file), "utf8"));

    expect((folder === "dag" ? toDag : toPhases)(plan)).toMatchObject({ ok: true });
  },
);

describe("what a dialect cannot say is named", () => {
  const plan = planOf("name: w\nsteps: [{ id: a, type: script, command: x }, { id: b, type: script, command: y }]");

  test.each<[string, (plan: Plan) => ReturnType<typeof toDag>, Partial<Plan>, string]>([
    ["phases: steps at once", toPhases, { steps: plan.steps.map((step) => ({ ...step, needs: [] })) }, "steps[1].needs"],
    ["phases: other places for names", toPhases, { names: ["context"] }, "names"],
    ["phases: a loop", toPhases, { flow: { kind: "loop", max_iterations: 3 } }, "flow.kind"],
    ["phases: a checkpoint interval", toPhases, { checkpoint_interval_ms: 5 }, "checkpoint_interval_ms"],
    ["dag: a loop", toDag, { flow: { kind: "loop", max_iterations: 3 } }, "flow.kind"],
    ["dag: steps that do not wait for their level", toDag, {}, "flow.by_level"],
  ])("%s", (_, write, change, path) => {
    const result = write({ ...plan, ...change });

    expect(!result.ok && result.problems.map((problem) => problem.path)).toContain(path);
  });

  test("a step whose name the dialect refuses", () => {
    const result = toDag({
      ...plan,
      steps: [{ key: "a b", needs: [], work: { kind: "shell", command: { literal: "x" } }, on_failure: "stop" }],
    });

    expect(result).toMatchObject({
      ok: false,
      problems: [{ path: "steps[0].key", message: expect.stringContaining("cannot say this") }],
    });
  });
});
