import { defineWorkflow } from "longhaul";
import { z } from "zod";

/** First a test that shows the bug, then the fix that makes it pass. */
export default defineWorkflow({
  name: "fix-bug",
  description: "Show a bug by a failing test, mend it, commit both",
  phases: ["reproduce", "fix", "verify"],

  input: z.object({
    report: z.string().min(1).describe("What was seen, and what was expected"),
    branch: z.string().min(1),
    testCommand: z.string().default("npm test"),
  }),

  async execute(ctx) {
    const { report, branch, testCommand } = ctx.input;
    await ctx.git.ensureBranch(branch, { phase: "reproduce" });

    const shown = await ctx.agent("write-failing-test", {
      prompt: `Write a test that fails because of this bug. Do not fix the bug.\n\n${report}`,
      permission: "acceptEdits",
    });
    const before = await ctx.shell(testCommand, { name: "see-it-fail", allowFailure: true });
    if (before.exitCode === 0) throw new Error("The tests pass: the bug was not reproduced.");

    await ctx.agent("fix", {
      prompt: `Now fix the bug. The tests say:\n\n${before.stdout}`,
      permission: "acceptEdits",
      phase: "fix",
      session: shown.sessionId,
    });
    await ctx.shell(testCommand, { name: "see-it-pass", phase: "verify" });

    const { sha } = await ctx.git.commit(`Fix: ${report.split("\n")[0]}`);
    return { branch, sha };
  },
});
