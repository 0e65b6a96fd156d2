import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../contract/json.js";
import type { Condition, Plan, Ref } from "../contract/plan.js";
import { parseCondition, refsOfCondition } from "./condition.js";
import { ConditionError, loadConditions, meets, needsConditions } from "./meets.js";
import type { Path } from "./path.js";
import type { Scope } from "./scope.js";

beforeAll(loadConditions);

const toRef = ([first = "", ...rest]: Path): Ref | string => {
  if (first === "typo") return 'There is no step "typo".';
  if (first === "args") return ["input", ...rest];
  return first === "input" || first === "steps" || first === "item" || first === "run"
    ? [first, ...rest]
    : ["name", first, ...rest];
};
const parsed = (text: string | boolean) => parseCondition(text, { marks: ["{{", "${"], toRef });
const condition = (text: string | boolean): Condition => {
  const { condition, problems } = parsed(text);
  expect(problems).toEqual([]);
  return condition;
};
const scope: Scope = {
  input: {
    force: true,
    n: 2,
    half: 1.5,
    big: 1e20,
    name: "release",
    labels: ["bug", "p1"],
    none: null,
    "a-b": { c: 1 },
    list: [{ x: 1 }, {}],
  },
  context: {},
  steps: { deploy: { status: "failed" }, "parse-changes": { files: 3 }, empty: {}, told: "text" },
  vars: {},
  run: { iteration: 3 },
  item: { done: true },
  names: ["steps", "input"],
};
const met = (text: string, more: Partial<Scope> = {}) => meets(condition(text), { ...scope, ...more });

describe("a simple condition", () => {
  test.each<[string | boolean, Condition]>([
    [true, { cel: "true" }],
    ["false", { cel: "false" }],
    ["${deploy.status}", { truthy: ["name", "deploy", "status"] }],
    ["{{ parse-changes.files }}", { truthy: ["name", "parse-changes", "files"] }],
    [" input.force ", { truthy: ["input", "force"] }],
    ["args.force", { truthy: ["input", "force"] }],
    ["!${deploy.status}", { not: { truthy: ["name", "deploy", "status"] } }],
    ["${ !deploy.status }", { not: { truthy: ["name", "deploy", "status"] } }],
    ["! !input.force", { not: { not: { truthy: ["input", "force"] } } }],
    ["$.done", { truthy: ["item", "done"] }],
    ["!$.done", { not: { truthy: ["item", "done"] } }],
    ["$.done == true", { cel: "item.done == true" }],
  ])("%s", (text, expected) => {
    expect(condition(text)).toEqual(expected);
  });

  test.each([
    ["told", true],
    ["deploy", true],
    ["half", true],
    ["empty", false],
    ["none", false],
    ["missing", false],
    ["missing.at.all", false],
    ["told.length", false],
    ["!missing", true],
    ["steps.told.result", true],
  ])("%s is met when there is something: %s", (text, expected) => {
    expect(met(text)).toBe(expected);
  });

  test.each([0, "", false, [], {}, null])("%j counts as nothing", (value) => {
    expect(met("args.v", { input: { v: value } })).toBe(false);
    expect(met("args.v && true", { input: { v: value } })).toBe(false);
  });

  test("needs no expressions to be loaded for", () => {
    const step = { condition: condition("!$.done") };
    const plan = { flow: { kind: "graph" }, steps: [step, {}, { condition: condition(true) }] } as Plan;
    expect(needsConditions(plan)).toBe(false);
    expect(needsConditions({ ...plan, finally: [{ condition: condition("!(a && b)") }] } as Plan)).toBe(true);
    expect(needsConditions({ ...plan, flow: { kind: "loop", stop_when: condition("$.n == 1") } } as Plan)).toBe(true);
  });
});

describe("an expression", () => {
  test.each([
    ["${deploy.status == 'failed' && input.force}", true],
    ['deploy.status != "failed" || !input.force', false],
    ["${deploy.status} == 'failed' && {{ parse-changes.files }} > 2", true],
    ["steps['parse-changes'].files in [1, 2, 3]", true],
    ["steps.deploy.result.status == 'failed'", true],
    ["$.done == true && run.iteration >= 3", true],
    ["args.labels.contains('bug') && contains(args.name, 'rel')", true],
    ["name.startsWith('re') && endsWith(name, 'se') && name.matches('^r.*e$')", true],
    ["'p1' in labels && labels.length == 2 && size(labels) == 2", true],
    ["labels.exists(it, it == 'bug') && !labels.all(it, it == 'bug')", true],
    ["labels.filter(it, it.startsWith('p'))[0] == 'p1' && labels.map(it, it + '!')[1] == 'p1!'", true],
    ["list.exists(it, it.x == 1 && !it.y)", true],
    ["(args).n == 2 && args['a-b'].c == 1 && list[0].x == 1", true],
    ["input.force ? deploy.status == 'ok' : true", false],
    ["has(deploy.status) && !has(deploy.error) && !has(missing.at.all)", true],
    ["type(n) == int && type(name) == string", true],
  ])("%s: %s", (text, expected) => {
    expect(met(text)).toBe(expected);
  });

  test.each([
    ["n == 2.0 && 2.0 == n && n in [2.0]", true],
    ["n < 2.5 && half >= 1.5 && half < n", true],
    ["n * half == 3.0 && n + 1 == 3 && half - 1 == 0.5 && n / 4.0 == 0.5", true],
    ["big > 1 && big == 1e20", true],
    ["n == '2'", false],
  ])("numbers are numbers, whole or not: %s", (text, expected) => {
    expect(met(text)).toBe(expected);
  });

  test.each([
    "missing == 1",
    "missing.status == 'failed'",
    "missing.n > 1",
    "1 <= missing",
    "missing && true",
    "missing.contains('x') || name.contains(missing) || missing.labels.exists(it, it == 1)",
    "'x' in missing || size(missing) > 0",
    "labels[7] == 'bug'",
    "list.all(it, it.x == 1)",
  ])("what is not there makes it false, without an error: %s", (text) => {
    expect(met(text)).toBe(false);
  });

  test.each(["missing == null", "none == null", "missing != 'x'", "!missing.x", "!(missing > 1)"])(
    "what is not there is null: %s",
    (text) => {
      expect(met(text)).toBe(true);
    },
  );

  test("finds only what is its own", () => {
    expect(met("input.constructor == null && steps.__proto__ == null && name.length == null")).toBe(true);
  });

  test("has the names of the plan, not of the dialect", () => {
    expect(condition("args.n == 1 && contains(args['a-b'].c, args.x) && has(args.y)")).toEqual({
      cel: 'input.n == 1 && contains(input["a-b"].c, input.x) && has(input.y)',
    });
    expect(condition("labels.exists(args, args == 'x')")).toEqual({ cel: "labels.exists(args, args == 'x')" });
    expect(condition("${a-b.c} == 1")).toEqual({ cel: '(_["a-b"].c) == 1' });
    expect(met("${a-b.c} == 1")).toBe(true);
  });

  test("tells all that it refers to", () => {
    expect(refsOfCondition(condition("${a-b.c} == 1 && args.n > n && !xs.exists(x, x.y == steps['k'].z)"))).toEqual([
      ["name", "a-b", "c"],
      ["input", "n"],
      ["name", "n"],
      ["name", "xs"],
      ["steps", "k", "z"],
    ]);
    expect(refsOfCondition(condition("!$.done"))).toEqual([["item", "done"]]);
  });
});

describe("what cannot be read", () => {
  test.each([
    ["", 0, "says nothing"],
    ["${ }", 2, "says nothing"],
    ["${a", 0, "is not closed"],
    ["n ==", 2, 'column 3: there is nothing after "=="'],
    ["n = 1", 2, 'equality is written "=="'],
    ["n === 1", 2, 'equality is written "=="'],
    ["  n == 1 and m", 9, 'column 8: "and" is written "&&"'],
    ["(n == 1", 7, "its end is missing"],
    ["n == 'a", 5, "the quote is not closed"],
    ["${ n == 1 b }", 10, '"b" does not belong there'],
    ["a && ${b} c", 10, '"c" does not belong there'],
    ["frobnicate(n)", 0, 'there is no function "frobnicate"'],
    ["process.exit(1) == 1", 7, 'there is no function "exit"'],
    ["'${n}' == '2'", 1, "Leave the quotes out"],
    ["n == 1 && typo.status == 'x'", 10, 'There is no step "typo".'],
    ["typo", 0, 'There is no step "typo".'],
    ["n == 1 || ".repeat(250), 2000, "longer than 2000 characters"],
    [`${"(".repeat(40)}n${")".repeat(40)}`, 32, "brackets go deeper than 32"],
  ])("%s is a problem at its place", (text, offset, message) => {
    expect(parsed(text).problems).toEqual([{ message: expect.stringContaining(message), offset }]);
  });

  test("is never met", () => {
    expect(meets(parsed("n ==").condition, scope)).toBe(false);
  });

  test("any text is read or refused at a place in it, in no time", () => {
    const piece = fc.constantFrom(
      "a",
      ".",
      "==",
      "&&",
      "!",
      "(",
      ")",
      "[",
      "]",
      "'",
      '"',
      "${",
      "{{",
      "}}",
      "}",
      " ",
      "$",
      "1",
      "\\",
      "?",
      ":",
      "in",
      "has(",
      ".exists(",
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 25 }).map((pieces) => pieces.join("")),
        (text) => {
          const { condition, problems } = parsed(text);
          for (const { offset } of problems) expect(offset).toBeLessThanOrEqual(text.length);
          if (problems.length === 0) expect(() => decided(condition)).not.toThrow();
        },
      ),
      { numRuns: 500 },
    );
    function decided(condition: Condition): void {
      try {
        meets(condition, scope);
      } catch (error) {
        if (!(error instanceof ConditionError)) throw error;
      }
    }
  });
});

describe("what cannot be decided", () => {
  test.each([
    ["n < name", 'The condition "n < name" cannot be decided: "<" cannot be used with a number and a text.'],
    ["labels > 1", '">" cannot be used with a list and a number'],
    ["n.contains('x')", '"contains" cannot be used with a number and a text'],
    ["parse-changes.n == 2", 'a name with "-" in it is written as in steps["a-b"]'],
    ["n / 0 == 1", "divide by zero"],
    ["n.exists(x, x == 1)", "type mismatch"],
  ])("%s is an error that says why", (text, message) => {
    expect(() => met(text)).toThrow(
      expect.objectContaining({ type: "condition_failed", message: expect.stringContaining(message) }),
    );
  });

  test("a slow pattern is matched at once", () => {
    const input = { text: `${"a".repeat(50_000)}!` };
    expect(met("text.matches('^(a+)+$')", { input })).toBe(false);
  });

  test.each([
    ["xs.all(x, xs.all(y, xs.all(z, x + y + z >= 0)))"],
    ["xs.all(x, x in xs && xs == ys)"],
    ["xs.filter(x, x >= 0).filter(x, x >= 0).size() > 0"],
    ["texts.all(t, t.matches('(a|aa)+b') || true)"],
    ["[text].map(a, [a + a + a + a]).map(b, [b[0] + b[0] + b[0] + b[0]])[0][0].contains('b')"],
  ])("what would take too long ends: %s", (text) => {
    const xs = Array.from({ length: 10_000 }, (_, i): Json => i);
    const input = { xs, ys: [...xs], text: "a".repeat(500_000), texts: xs.map(() => "a".repeat(1000)) };
    expect(() => met(text, { input })).toThrow(/too many steps|too long/);
  });

  test("lists of a thousand are no trouble", () => {
    const input = { xs: Array.from({ length: 1_000 }, (_, i): Json => ({ i })) };
    expect(met("xs.filter(x, x.i >= 500).size() == 500 && xs.map(x, x.i).exists(i, i == 999)", { input })).toBe(true);
  });
});
