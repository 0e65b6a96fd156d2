import { defineWorkflow } from "longhaul";
import { z } from "zod";

const provider = z.enum(["claude", "codex", "gemini", "grok"]);

/** The same question to several agents; what more than half of them choose is the answer. */
export default defineWorkflow({
  name: "ask-three",
  description: "Ask three agents the same question about the repository, and take the answer of the majority",

  input: z.object({
    question: z.string().min(1),
    choices: z.array(z.string().min(1)).min(2).default(["yes", "no"]),
    agents: z
      .array(
        z.union([provider, z.object({ provider, name: z.string(), role: z.string().optional(), model: z.string().optional() })]),
      )
      .min(2)
      .default(["claude", "codex", "gemini"])
      .describe("By their names, or each with a name, a role and a model of its own"),
  }),

  async execute(ctx) {
    const { question, choices, agents } = ctx.input;
    const { data, agreed, winner } = await ctx.agents(
      "ask",
      `Answer a question about this repository. Change nothing.\n\n${question}`,
      {
        providers: agents,
        strategy: "majority",
        agreeOn: "choice",
        schema: {
          type: "object",
          properties: { choice: { enum: choices }, reason: { type: "string" } },
          required: ["choice", "reason"],
          additionalProperties: false,
        },
      },
    );
    const { choice, reason } = data as { choice: string; reason: string };
    await ctx.commentExecution(`${choice}, say ${agreed.join(", ")}. ${winner}: ${reason}`);
    return { choice, agreed };
  },
});
