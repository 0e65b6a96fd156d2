import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Move } from "../../local/model-script.js";
import type { ModelServer } from "../../local/model-server.js";
import { scriptedModel } from "../support/scripted-model.js";
import { testFolder } from "../support/stack.js";
import { checkRun } from "./checker.js";
import { gather } from "./evidence.js";
import { Harness } from "./harness.js";
import { processesOf } from "./traces.js";

const PANEL = `
name: panel
stages: [vote]
vote:
  mode: parallel
  strategy: majority
  prompt: Vote
  providers:
    - { provider: claude, name: quick, model: quick }
    - { provider: claude, name: held, model: held }
    - { provider: claude, name: never, model: never }
`;

let isReleased = false;
const VOTES: Record<string, () => Move> = {
  quick: () => ({ say: "yes" }),
  held: () => (isReleased ? { say: "yes" } : { hang: true }),
  never: () => ({ hang: true }),
};

let model: ModelServer;
let harness: Harness;
beforeAll(async () => {
  const vote = { when: /^Vote/, moves: (_: unknown, asked: { model: string }) => [VOTES[asked.model]?.() ?? { say: "What?" }] };
  model = await scriptedModel({ rules: [vote] });
  harness = await Harness.start({ folder: testFolder(), definitions: { "panel.workflow.yml": PANEL } });
});
afterAll(() => harness?.stop());

test("a panel whose worker dies keeps the answers it has, goes on with the others, and stops who is not needed (F2)", async () => {
  const run = await harness.begin("panel", {}, { counter: null, steps: 4 });
  await vi.waitFor(
    async () => {
      expect(["held", "never"].map(askedOf).every((count) => count > 0)).toBe(true);
      expect(await stepsOf(run.id)).toMatchObject({ "vote.quick": { status: "completed" } });
    },
    { timeout: 60_000, interval: 50 },
  );
  const asked = askedOf("quick");
  await harness.kill9("worker");
  isReleased = true;
  await harness.client.finished(run.id);

  expect(processesOf([run.id])).toEqual([]);
  expect(askedOf("quick")).toBe(asked);
  expect(await stepsOf(run.id)).toMatchObject({
    vote: { status: "completed", output: { text: "yes", winner: "quick", agreed: ["quick", "held"] } },
    "vote.quick": { status: "completed", attempt: 1 },
    "vote.held": { status: "completed", attempt: 2, sessions: [expect.anything()] },
    "vote.never": { status: "cancelled" },
  });
  const found = (await gather(harness, { afterwards: false })).runs.find(({ run_id }) => run_id === run.id);
  expect(found && checkRun(found, harness.kills)).toEqual([]);
});

function askedOf(name: string): number {
  return model.requests.filter(({ conversation }) => conversation.model === name).length;
}

async function stepsOf(runId: string): Promise<Record<string, object>> {
  const steps = await harness.client.all(`/api/runs/${runId}/steps`);
  return Object.fromEntries(steps.map((step) => [step.step_id, step]));
}
