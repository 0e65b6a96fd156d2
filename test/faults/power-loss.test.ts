import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { DEFINITIONS } from "./definitions.js";
import { gather } from "./evidence.js";
import { Harness } from "./harness.js";
import { withScriptedModel } from "./scripted-model.js";
import { long } from "./seed.js";
import { processesOf } from "./traces.js";

/** How long nothing is there that could answer, in milliseconds. */
const AWAY_MS = long ? 60_000 : 0;

/** One turn of an agent. */
const TURN = {
  turn: `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "turn",
  input: z.object({ prompt: z.string(), permission: z.enum(["default", "acceptEdits"]) }),
  execute: async (ctx) => (await ctx.agent("work", ctx.input)).text,
});
`,
};

test("an agent paused in mid-turn, and one that asks whether it may, go on in their sessions after a loss of power (F2, F6, F9)", {
  timeout: 300_000,
}, async () => {
  await withScriptedModel(async (model) => {
    const harness = await Harness.start({ folder: testFolder(), definitions: { ...DEFINITIONS, ...TURN } });
    try {
      const { client } = harness;
      const paused = await begin(
        harness,
        "[[write one.txt 1]] [[slow 2500]] [[write two.txt 2]] [[say Both are there.]]",
        "acceptEdits",
      );
      await until(harness, paused, () => model.requests.length === 2);
      await client.insist("POST", `/api/runs/${paused}/pause`, { body: { mode: "now" } });
      const asking = await begin(harness, "[[shell touch made.txt]] [[say It is made.]]", "default");
      const [before, waiting] = [
        await until(harness, paused, ({ steps }) => steps[0].waiting_for?.kind === "resume"),
        await until(harness, asking, ({ waiting_for }) => waiting_for?.kind === "approval"),
      ];
      expect(processesOf([paused, asking])).toEqual([]);

      await harness.killAll();
      await sleep(AWAY_MS);
      await harness.startAgain();
      await client.insist("POST", `/api/runs/${asking}/approvals/work`, { body: { answer: "approve" } });
      await client.insist("POST", `/api/runs/${paused}/resume`);
      await Promise.all([paused, asking].map((id) => client.finished(id)));

      const rows = [await rowOf(harness, paused), await rowOf(harness, asking)];
      expect(rows).toMatchObject([
        {
          output: "Both are there.",
          steps: [{ attempt: 1, sessions: [{ id: before.steps[0].session.id, status: "completed" }] }],
        },
        { output: "It is made.", steps: [{ attempt: 1, sessions: [{ id: waiting.steps[0].session.id, status: "completed" }] }] },
      ]);
      const paid = model.requests.filter(({ used }) => used);
      expect(rows[0].usage.turns + rows[1].usage.turns).toBe(paid.length);
      expect(check(await gather(harness, { rebuilt: true }))).toEqual([]);
    } finally {
      await harness.stop();
    }
  });
});

async function begin(harness: Harness, prompt: string, permission: string): Promise<string> {
  const { id } = await harness.begin("turn", { prompt, permission }, { counter: null, steps: 1 });
  return id;
}

// biome-ignore lint/suspicious/noExplicitAny: the API's answer, as in Reply
async function rowOf({ client }: Harness, id: string): Promise<any> {
  return (await client.insist("GET", `/api/runs/${id}`)).body.data;
}

/** The run's row as soon as it is so. */
async function until(harness: Harness, id: string, holds: (row: Awaited<ReturnType<typeof rowOf>>) => boolean) {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(20)) {
    const row = await rowOf(harness, id);
    if (holds(row)) return row;
  }
  throw new Error(`The run ${id} did not come to it within a minute: ${JSON.stringify(await rowOf(harness, id))}`);
}
