import { defineWorkflow } from "longhaul";
import { z } from "zod";

const REVIEW = {
  type: "object",
  properties: {
    approved: { type: "boolean" },
    findings: { type: "array", items: { type: "string" } },
  },
  required: ["approved", "findings"],
  additionalProperties: false,
};

interface Review {
  approved: boolean;
  findings: string[];
}

/** From an idea to a reviewed pull request: specify, plan, build, test, review until it is approved, deliver. */
export default defineWorkflow({
  name: "full-sdlc",
  description: "Specify, plan, build, test and review a feature, then open a pull request",
  version: "1.0.0",
  phases: ["specify", "plan", "implement", "test", "review", "deliver"],
  timeout: 6 * 3_600_000,

  input: z.object({
    idea: z.string().min(1),
    branch: z.string().min(1),
    testCommand: z.string().default("npm test"),
    rounds: z.int().min(1).max(10).default(3).describe("How often the work may come back from review"),
  }),

  async execute(ctx) {
    const { idea, branch, testCommand, rounds } = ctx.input;
    await ctx.git.ensureBranch(branch, { name: "setup-branch", phase: "specify" });

    const spec = await ctx.agent("write-spec", {
      prompt: `Write a specification of this idea for the repository at hand. Change nothing yet; answer with the text.\n\n${idea}`,
      permission: "plan",
    });
    await ctx.files.write("SPEC.md", spec.text, { name: "keep-spec" });

    const plan = await ctx.agent("generate-plan", {
      prompt: `Write a plan for this specification. Change nothing yet.\n\n${spec.text}`,
      permission: "plan",
      phase: "plan",
    });
    await ctx.checkpoint("planned");

    let work = await ctx.agent("implement", {
      prompt: `Implement this specification, with tests.\n\n${spec.text}\n\nFollow this plan:\n\n${plan.text}`,
      permission: "acceptEdits",
      phase: "implement",
      retry: { maxAttempts: 2, retryableErrors: ["agent_api_error"] },
    });

    for (let round = 1; ; round++) {
      const tests = await ctx.shell(testCommand, { name: "run-tests", phase: "test", allowFailure: true });
      await ctx.artifact(`tests-${round}.txt`, { content: tests.stdout + tests.stderr, type: "test_report", name: "keep-tests" });
      const review =
        tests.exitCode === 0
          ? await reviewed()
          : { approved: false, findings: [`The tests fail:\n${tests.stdout}${tests.stderr}`] };
      ctx.set("round", round);
      if (review.approved) break;
      if (round === rounds) throw new Error(`Not approved after ${rounds} rounds: ${review.findings.join("; ")}`);
      await ctx.comment(review.findings.join("\n"));
      work = await ctx.agent("revise", {
        prompt: `Mend what was found:\n\n${review.findings.join("\n")}`,
        permission: "acceptEdits",
        phase: "implement",
        session: work.sessionId,
      });
    }

    await ctx.git.commit(`Build: ${idea.split("\n")[0]}`, { name: "commit", phase: "deliver" });
    await ctx.git.push({ name: "push", branch });
    const pr = await ctx.git.createPr({ name: "create-pr", title: idea.split("\n")[0] ?? idea, body: plan.text });
    await ctx.commentExecution(`Ready to merge: ${pr.url}`);
    return { pullRequest: pr.url, rounds: ctx.get<number>("round") };

    async function reviewed(): Promise<Review> {
      const { data } = await ctx.agent("review", {
        prompt: `Review the uncommitted changes of this repository against the specification. Change nothing.\n\n${spec.text}`,
        permission: "plan",
        phase: "review",
        schema: REVIEW,
      });
      return data as Review;
    }
  },
});
