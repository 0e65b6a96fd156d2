import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { JsonObject } from "../contract/json.js";
import { graphOf } from "../definition/graph.js";
import { type Longhaul, longhaul, type RunRow } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

/** `npm run faults` does more, and larger ones. */
const long = process.env.LONGHAUL_FAULTS === "long";

/** A step as it is thought up, before anything knows what a definition is. */
interface Idea {
  key: string;
  needs: string[];
  fails: boolean;
  borne: "no" | "optional" | "continue";
  /** `of`: done when that step, one that it needs, has given something. */
  condition: "none" | "met" | "unmet" | { of: string };
}

interface Thought {
  ideas: Idea[];
  parallelism: number;
}

const thoughts: fc.Arbitrary<Thought> = fc.record({
  parallelism: fc.integer({ min: 1, max: 9 }),
  ideas: fc
    .array(
      fc.record({
        picks: fc.array(fc.nat(), { maxLength: 3 }),
        fails: fc.nat({ max: 5 }).map((n) => n === 0),
        // A failure that stops the run hides all that comes after it: most are borne.
        borne: fc.constantFrom<Idea["borne"]>("optional", "continue", "optional", "continue", "optional", "continue", "no"),
        condition: fc.constantFrom("none" as const, "none" as const, "met" as const, "unmet" as const, "of" as const),
      }),
      { minLength: 1, maxLength: long ? 200 : 40, size: "max" },
    )
    .map((all) =>
      all.map(({ picks, fails, borne, condition }, i): Idea => {
        const needs = i === 0 ? [] : [...new Set(picks.map((pick) => `s${pick % i}`))];
        const [first] = needs;
        const when = condition !== "of" ? condition : first === undefined ? "none" : { of: first };
        return { key: `s${i}`, needs, fails, borne, condition: when };
      }),
    ),
});

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

test.each(
  fc.sample(thoughts, { numRuns: long ? 25 : 8, seed: 4 }).map((thought, i) => [i + 1, thought.ideas.length, thought] as const),
)(
  "random plan %i, of %i steps, keeps to order, limit, conditions and what is borne",
  { timeout: 180_000 },
  async (_, __, thought) => {
    const run = await stack.start(JSON.stringify(definitionOf(thought)), { ending: ".json", in_place: true });
    const row = await run.finished(150_000);

    const expected = outcomeOf(thought);
    expect(Object.fromEntries(row.steps.map(({ step_id, status }) => [step_id, status]))).toEqual(expected.statuses);
    expect(row.status).toBe(expected.stoppedBy.length > 0 ? "failed" : "completed");
    if (expected.stoppedBy.length > 0) expect(expected.stoppedBy).toContain(row.error?.step_id);
    expectInOrder(thought, row, await beginningsAndEnds(row));
  },
);

/** What becomes of each step, worked out level by level; a step that is not named has no row. */
function outcomeOf({ ideas }: Thought): { statuses: Record<string, string>; stoppedBy: string[] } {
  const statuses: Record<string, string> = {};
  for (const level of levelsOf(ideas)) {
    const stoppedBy: string[] = [];
    for (const { key, condition, fails, borne } of level) {
      const isMet = typeof condition === "object" ? statuses[condition.of] === "completed" : condition !== "unmet";
      statuses[key] = !isMet ? "skipped" : fails ? "failed" : "completed";
      if (statuses[key] === "failed" && borne === "no") stoppedBy.push(key);
    }
    if (stoppedBy.length > 0) return { statuses, stoppedBy };
  }
  return { statuses, stoppedBy: [] };
}

/** No step begins before all of the levels before it are over, and no more are under way than may be. */
function expectInOrder({ ideas, parallelism }: Thought, { steps }: RunRow, told: Told[]): void {
  const levels = new Map(levelsOf(ideas).flatMap((level, i) => level.map(({ key }) => [key, i] as const)));
  const keys = new Map(steps.map(({ id, step_id }) => [id, step_id]));
  const levelOf = (id: string) => levels.get(keys.get(id) ?? "") ?? Number.NaN;
  const underWay = new Set<string>();
  let reached = 0;
  for (const { isBeginning, id } of told) {
    expect(levelOf(id)).toBeGreaterThanOrEqual(reached);
    if (isBeginning) {
      for (const other of underWay) expect(levelOf(other)).toBe(levelOf(id));
      reached = levelOf(id);
      underWay.add(id);
    } else underWay.delete(id);
    expect(underWay.size).toBeLessThanOrEqual(parallelism);
  }
  expect(underWay.size).toBe(0);
  expect(told.filter(({ isBeginning }) => isBeginning)).toHaveLength(steps.length);
}

interface Told {
  isBeginning: boolean;
  /** Row id of the step. */
  id: string;
}

/** What the run's events tell of steps, in their order. */
async function beginningsAndEnds({ id }: RunRow): Promise<Told[]> {
  const events: { type: string; data: { step_id: string } }[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { body } = await ask("GET", `/api/runs/${id}/events?limit=100${cursor === "" ? "" : `&cursor=${cursor}`}`);
    events.push(...(body.data as typeof events));
    cursor = body.page.next_cursor;
  }
  return events.toReversed().flatMap(({ type, data }) => {
    const isBeginning = type === "workflow.step.started";
    return isBeginning || type === "workflow.step.completed" ? [{ isBeginning, id: data.step_id }] : [];
  });
}

function levelsOf(ideas: readonly Idea[]): Idea[][] {
  return graphOf(ideas).levels.map((keys) => ideas.filter(({ key }) => keys.includes(key)));
}

function definitionOf({ ideas, parallelism }: Thought): JsonObject {
  const steps = ideas.map(({ key, needs, fails, borne, condition }): JsonObject => {
    const when = typeof condition === "object" ? `{{ steps.${condition.of} }}` : condition === "met" ? "1 < 2" : "1 > 2";
    return {
      key,
      dependencies: needs,
      type: "shell",
      command: fails ? "exit 1" : "true",
      ...(condition === "none" ? {} : { if: when }),
      ...(borne === "optional" ? { optional: true } : borne === "continue" ? { continueOnError: true } : {}),
    };
  });
  return { name: "random", version: "1.0.0", config: { parallelism }, steps };
}
