import { defineWorkflow } from "longhaul";
import { z } from "zod";

export default defineWorkflow({
  name: "hello",
  input: z.object({ who: z.string().default("world") }),
  async execute(ctx) {
    const { stdout } = await ctx.shell('echo "Hello, $WHO"', { name: "greet", env: { WHO: ctx.input.who } });
    await ctx.comment(stdout.trim());
    return { greeting: stdout.trim() };
  },
});
