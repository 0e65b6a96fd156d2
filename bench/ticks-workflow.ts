/** The workflow file that the benchmark gives to Longhaul: trivial steps, one after another. */
export const ticksFile = `import { activityTypes, defineWorkflow } from "longhaul";
import { z } from "zod";

export const activities = {
  async tick(_i: number): Promise<number> {
    return Date.now();
  },
};

export default defineWorkflow({
  name: "ticks",
  input: z.object({ steps: z.number() }),
  activities: activityTypes<typeof activities>(),
  timeout: 0,
  async execute(ctx) {
    const times: number[] = [];
    for (let i = 0; i < ctx.input.steps; i++) times.push(await ctx.activities.tick(i));
    return times;
  },
});
`;
