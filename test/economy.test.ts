import { beforeAll, expect, test } from "vitest";
import { type Longhaul, longhaul } from "./support/longhaul.js";

let stack: Longhaul;
beforeAll(async () => {
  stack = await longhaul();
});

test("a plain step costs one Temporal action, and a run at most four more", async () => {
  const run = await stack.start(
    `import { activityTypes, defineWorkflow } from "longhaul";
     export const activities = { async tick(i: number) { return i; } };
     export default defineWorkflow({ name: "ticks", activities: activityTypes<typeof activities>(), async execute(ctx) {
       for (let i = 0; i < 10; i++) await ctx.activities.tick(i);
     } });`,
  );
  await run.finished();

  expect(await actionsOf(run.id)).toEqual({ started: 1, timers: 1, activities: 10, local: 1 });
});

test("a step that works on the run's tree costs one, too; the tree itself costs one for all of them", async () => {
  const run = await stack.start(
    `import { defineWorkflow } from "longhaul";
     export default defineWorkflow({ name: "shells", async execute(ctx) {
       for (let i = 0; i < 5; i++) await ctx.shell("true");
     } });`,
  );
  await run.finished();

  expect(await actionsOf(run.id)).toEqual({ started: 1, timers: 1, activities: 5 + 1, local: 1 });
});

test("each step is labelled for Temporal's own page, under the workflow's own name", async () => {
  const run = await stack.start(
    `import { defineWorkflow } from "longhaul";
     export default defineWorkflow({ name: "labelled", async execute(ctx) {
       await ctx.shell("echo hello", { name: "greet" });
       await ctx.run("deliver", async () => {
         await ctx.shell("true");
         await ctx.files.exists("README.md");
       });
     } });`,
  );
  await run.finished();

  const handle = stack.client.workflow.getHandle(run.id);
  const { events } = await handle.fetchHistory();
  const labels = (events ?? [])
    .filter((event) => event.activityTaskScheduledEventAttributes)
    .map((event) => JSON.parse(Buffer.from(event.userMetadata?.summary?.data ?? []).toString()));
  expect(labels).toEqual(["workspace", "greet: echo hello", "deliver: true", "deliver: README.md"]);
  expect((await handle.describe()).type).toBe("labelled");
});

/** What Temporal would charge for: the start, timers, activities, the close gate as a local one. */
async function actionsOf(runId: string): Promise<Record<"started" | "timers" | "activities" | "local", number>> {
  const handle = stack.client.workflow.getHandle(runId);
  await expect.poll(async () => (await handle.describe()).status.name).toBe("COMPLETED");
  const { events = [] } = await handle.fetchHistory();
  const count = (key: keyof NonNullable<typeof events>[number]) => (events ?? []).filter((event) => event[key]).length;
  return {
    started: count("workflowExecutionStartedEventAttributes"),
    timers: count("timerStartedEventAttributes"),
    activities: count("activityTaskScheduledEventAttributes"),
    local: count("markerRecordedEventAttributes"),
  };
}
