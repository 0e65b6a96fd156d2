import { claude, createWorkflow } from "longhaul";
import { z } from "zod";

/** Let an agent build something, and commit it once the build and the tests agree. */
export default createWorkflow(
  {
    name: "build-feature",
    description: "Build one feature on its own branch, check it, commit it",
    phases: ["build", "check", "commit"],
    input: z.object({
      task: z.string().min(1),
      branch: z.string().min(1),
      checks: z.array(z.string()).default(["npm test"]).describe("Commands that must all succeed"),
    }),
  },
  async (ctx) => {
    const { task, branch, checks } = ctx.input;
    await ctx.git.ensureBranch(branch, { name: "branch", phase: "build" });
    const built = await ctx.agent("build", claude, `Implement this, with tests:\n\n${task}`, { permission: "acceptEdits" });
    await ctx.comment(built.text);

    await ctx.parallel(
      checks.map((command, i) => () => ctx.shell(command, { name: `check-${i + 1}`, phase: "check", retry: { maxAttempts: 2 } })),
    );

    const { sha } = await ctx.git.commit(task.split("\n")[0] ?? task, { name: "commit", phase: "commit" });
    return { branch, sha, files: built.filesChanged };
  },
);
