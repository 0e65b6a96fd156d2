import { defineWorkflow } from "longhaul";
import { z } from "zod";

const Review = z.object({ approved: z.boolean(), comments: z.array(z.string()) });
const agent = z.enum(["claude", "codex"]);

/** One agent writes, another one reads it, until that one approves. */
export default defineWorkflow({
  name: "review-until-approved",
  description: "Build something by one agent, reviewed by another until it approves, and commit it",
  phases: ["write", "review", "commit"],

  input: z.object({
    task: z.string().min(1),
    branch: z.string().min(1),
    writer: agent.default("claude"),
    reviewer: agent.default("codex"),
    rounds: z.int().min(1).max(10).default(3).describe("How often it may be reviewed"),
  }),

  async execute(ctx) {
    const { task, branch, writer, reviewer, rounds } = ctx.input;
    await ctx.git.ensureBranch(branch, { name: "branch", phase: "write" });
    let prompt = `Do this task:\n\n${task}`;
    let session: string | undefined;

    for (let round = 1; round <= rounds; round++) {
      const written = await ctx.agent("write", writer, prompt, {
        permission: "acceptEdits",
        phase: "write",
        ...(session ? { session } : {}),
      });
      session = written.sessionId;

      const review = await ctx.agent(
        "review",
        reviewer,
        `Review the uncommitted changes of this repository. Do they do the task, and nothing else? Change nothing.\n\nThe task:\n\n${task}`,
        { permission: "plan", phase: "review", schema: z.toJSONSchema(Review, { io: "input" }) },
      );
      const { approved, comments } = Review.parse(review.data);
      if (approved) {
        const { sha } = await ctx.git.commit(task.split("\n")[0] ?? task, { name: "commit", phase: "commit" });
        return { branch, sha, rounds: round };
      }
      await ctx.comment(`Round ${round}:\n${comments.join("\n")}`);
      prompt = `A colleague has reviewed it. Mend what is right of this:\n\n${comments.join("\n")}`;
    }
    throw new Error(`Not approved after ${rounds} rounds. What was written is in ${ctx.projectPath}.`);
  },
});
