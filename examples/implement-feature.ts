import { defineWorkflow } from "longhaul";
import { z } from "zod";

/** Four phases of described steps; what is found in one is handed to the next. */
export default defineWorkflow({
  name: "implement-feature",
  description: "Research, plan, implement and test a new feature",
  phases: ["research", "plan", "implement", "test"],

  argsSchema: z.object({
    featureName: z.string().min(1),
    requirements: z.string(),
    testCommand: z.string().default("npm test"),
    buildCommand: z.string().default("npm run build --if-present"),
  }),

  async execute(ctx) {
    const { featureName, requirements } = ctx.args;

    const research = await ctx.step<{ text: string }>("research-codebase", {
      phase: "research",
      type: "agent",
      agent: "claude",
      prompt: `Find out how ${featureName} would fit into this repository. Change nothing.`,
      permission: "plan",
    });
    await ctx.checkpoint();

    await ctx.step("create-spec", {
      phase: "plan",
      type: "agent",
      agent: "claude",
      prompt: `Specify ${featureName}. Requirements: ${requirements}\n\nWhat is known:\n${research.data?.text}`,
      permission: "plan",
    });
    await ctx.checkpoint();

    await ctx.step("implement", {
      phase: "implement",
      type: "agent",
      agent: "claude",
      prompt: (ctx) => `Implement this specification.\n\n${ctx.getStepResult<{ text: string }>("create-spec")?.data?.text}`,
      permission: "acceptEdits",
    });
    await ctx.checkpoint();

    await ctx.step("run-tests", { phase: "test", type: "script", command: ctx.args.testCommand });
    await ctx.step("build", { phase: "test", type: "script", command: ctx.args.buildCommand });

    await ctx.comment(`${featureName} is implemented.`);
  },
});
