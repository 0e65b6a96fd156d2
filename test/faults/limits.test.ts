import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { DEFINITIONS } from "./definitions.js";
import { gather, type Promised } from "./evidence.js";
import type { Finding } from "./finding.js";
import { Harness } from "./harness.js";
import { long } from "./seed.js";

/** Temporal takes 10,000 signals an execution (`history.maximumSignalsPerExecution`). */
const COMMENTS = long ? 10_001 : 60;
const AT_ONCE = 8;
const MIB = 1024 * 1024;

const GIVING = {
  "sums.ts": `import { defineWorkflow } from "longhaul";
export default defineWorkflow({
  name: "sums",
  async execute(ctx) {
    await ctx.approve("ask", { message: "Go on?" });
    for (let sum = 0; ; ) {
      const { n, last } = await ctx.waitForEvent<{ n: number; last?: boolean }>("more");
      if (last) return sum;
      sum += n;
    }
  },
});
`,
  "gives.ts": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export const activities = { make: async (size: number): Promise<string> => "s".repeat(size) };
export default defineWorkflow({
  name: "gives",
  input: z.object({ step: z.number(), letter: z.string(), letters: z.number() }),
  async execute(ctx) {
    const { step, letter, letters } = ctx.input;
    if (step) await (ctx.activities as unknown as typeof activities).make(step);
    return { text: letter.repeat(letters) };
  },
});
`,
  "passes.ts": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "passes",
  input: z.object({ letters: z.number() }),
  execute: (ctx) => ctx.child("gives", { step: 0, letter: "c", letters: ctx.input.letters }),
});
`,
};

let harness: Harness;
beforeAll(async () => {
  // Short of the real limit a run goes on in a further execution sooner, too.
  const settings = long ? {} : { LONGHAUL_CONTINUE_AFTER: "150" };
  harness = await Harness.start({ folder: testFolder(), definitions: { ...DEFINITIONS, ...GIVING }, settings });
});
afterAll(() => harness?.stop());

const promised: Promised[] = [];

test("of more comments than Temporal takes signals, and of events, none that was accepted is lost (F40)", {
  timeout: 1_800_000,
}, async () => {
  const run = await harness.begin("sums", {}, { counter: null, steps: 0 });
  await vi.waitFor(async () => expect((await rowOf(run.id)).status).toBe("waiting"), { timeout: 20_000, interval: 50 });
  const tell = (what: string, body: object) => harness.client.ask("POST", `/api/runs/${run.id}/${what}`, { body });
  const refusals = new Set<number>();
  let [next, sum] = [0, 0];
  const client = async () => {
    for (let n = next++; n < COMMENTS; n = next++) {
      const wanted = `comment ${n}`;
      const { status, body } = await tell("comments", { text: wanted });
      if (status === 201) promised.push({ run_id: run.id, kind: "comment", id: body.data.id, wanted });
      else refusals.add(status);
      if (n % 5 > 0) continue;
      const told = await tell("events/more", { n });
      if (told.status === 202) sum += n;
      else refusals.add(told.status);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  const accepted = promised.length;
  await harness.client.insist("POST", `/api/runs/${run.id}/approvals/ask`, { body: { answer: "approve" }, limitMs: 600_000 });
  await expect
    .poll(async () => (await tell("events/more", { last: true })).status, { timeout: 600_000, interval: 1_000 })
    .toBe(202);
  await harness.client.finished(run.id, 600_000);

  console.log(`Of ${COMMENTS} comments ${accepted} were accepted.`);
  expect([...refusals].filter((status) => status !== 429)).toEqual([]);
  expect(accepted).toBeGreaterThan(COMMENTS / 2);
  expect(await rowOf(run.id)).toMatchObject({ status: "completed", output: sum });
});

test.each([
  ["a step gives 3 MiB", { step: 3 * MIB, letter: "a", letters: 1 }],
  ["a run gives 3 MiB", { step: 0, letter: "b", letters: 3 * MIB }],
  ["a run gives fewer letters, of more bytes", { step: 0, letter: "€", letters: MIB }],
  ["both do", { step: 3 * MIB, letter: "d", letters: 3 * MIB }],
])("%s: it is an artifact, by reference, and read back whole (F41)", async (_, input) => {
  const run = await harness.begin("gives", input, { counter: null, steps: 0 });
  await harness.client.finished(run.id);

  const { status, output, error } = await rowOf(run.id);
  expect([status, error]).toEqual(["completed", null]);
  const given = { text: input.letter.repeat(input.letters) };
  if (input.letters === 1) expect(output).toEqual(given);
  else expectKept(run.id, output, JSON.stringify(given));
  const [step] = await harness.client.all(`/api/runs/${run.id}/steps`);
  if (input.step) expectKept(run.id, step.output, "s".repeat(input.step));
});

test("what a run below gives is a reference for the run above, too (F41)", async () => {
  const run = await harness.begin("passes", { letters: 3 * MIB }, { counter: null, steps: 0 });
  await harness.client.finished(run.id);

  const { status, output } = await rowOf(run.id);
  const [step] = await harness.client.all(`/api/runs/${run.id}/steps`);
  expect(status).toBe("completed");
  expectKept(step.input.run_id, output, JSON.stringify({ text: "c".repeat(3 * MIB) }));
});

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", { timeout: 300_000 }, async () => {
  const findings = check(await gather(harness, { promised, rebuilt: true }));
  expect(findings.filter((found) => !isRetoldLine(found))).toEqual([]);
});

/**
 * A task whose end Temporal refuses, for a signal came meanwhile, tells its facts again under other numbers. Rows and events come out
 * right; a line of the run's own log may be there once less, or more, than a rebuild has it.
 */
function isRetoldLine({ invariant, what }: Finding): boolean {
  return invariant === "I9" && /: log_chunks \{.*"step_id":null,"stream":"log"/.test(what);
}

/** It is read when all is looked at. */
function expectKept(run_id: string, reference: unknown, text: string): void {
  const sha256 = createHash("sha256").update(text).digest("hex");
  expect(reference).toEqual({
    $artifact: expect.any(String),
    sha256,
    size_bytes: Buffer.byteLength(text),
    head: text.slice(0, 2_000),
  });
  const { $artifact: id } = reference as { $artifact: string }; // as was just seen
  promised.push({ run_id, kind: "artifact", id, wanted: sha256 });
}

async function rowOf(runId: string) {
  return (await harness.client.insist("GET", `/api/runs/${runId}`)).body.data;
}
