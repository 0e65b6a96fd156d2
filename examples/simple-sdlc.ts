import { claude, defineWorkflow } from "longhaul";
import { z } from "zod";

/** From a specification in the repository to a pull request whose tests pass. Claude plans, Codex builds. */
export default defineWorkflow({
  name: "simple-sdlc",
  description: "Plan, build and test what a specification asks for, and open a pull request",
  version: "1.0.0",
  phases: ["plan", "implement", "test", "deliver"],

  input: z.object({
    specFile: z.string().describe("The specification, relative to the project"),
    branch: z.string().optional().describe("Left out: named after the specification"),
    testCommand: z.string().default("npm test"),
    coder: z.enum(["codex", "claude"]).default("codex").describe("Who implements the plan"),
    maxFixes: z.int().min(0).max(10).default(3).describe("How often the agent may try to mend failing tests"),
  }),

  async execute(ctx) {
    const { specFile, testCommand, coder, maxFixes } = ctx.input;

    const spec = await ctx.run(
      "load-spec",
      async () => {
        const text = await ctx.files.read(specFile);
        ctx.set("title", titleOf(text));
        await ctx.comment(`Building "${titleOf(text)}" from ${specFile}.`);
        return text;
      },
      { phase: "plan" },
    );
    const title = ctx.get<string>("title") ?? specFile;
    const branch = ctx.input.branch ?? `feature/${slug(title)}`;

    await ctx.run("setup-branch", () => ctx.git.ensureBranch(branch));

    const plan = await ctx.runCli(
      "generate-plan",
      claude,
      `Write a short plan for this specification. Change nothing yet.\n\n${spec}`,
      {
        permission: "plan",
      },
    );
    await ctx.comment(`The plan:\n\n${plan.text}`);

    const built = await ctx.runCli(
      "implement",
      coder,
      `Implement this specification.\n\n${spec}\n\nFollow this plan:\n\n${plan.text}`,
      { permission: "acceptEdits", phase: "implement" },
    );
    ctx.set("session", built.sessionId);

    const runTests = () =>
      ctx.run(
        "run-tests",
        async () => {
          const result = await ctx.exec(testCommand, { allowFailure: true });
          const content = `$ ${testCommand}\n${result.stdout}${result.stderr}\nexit code ${result.exitCode}\n`;
          await ctx.artifact("test-results.txt", { content, type: "test_report" });
          return { passed: result.exitCode === 0, content };
        },
        { phase: "test" },
      );

    let tests = await runTests();
    for (let fixes = 0; !tests.passed; fixes++) {
      if (fixes === maxFixes) throw new Error(`The tests still fail after ${maxFixes} fixes; see test-results.txt.`);
      await ctx.comment(`The tests fail; fix ${fixes + 1} of at most ${maxFixes}.`);
      await ctx.runCli("fix", coder, `The tests fail. Mend the code, not the tests.\n\n${tests.content}`, {
        permission: "acceptEdits",
        session: ctx.get<string>("session") ?? built.sessionId,
      });
      tests = await runTests();
    }

    const delivered = await ctx.run(
      "create-pr",
      async () => {
        const { sha } = await ctx.git.commit(title);
        await ctx.git.push({ branch });
        const pr = await ctx.git.createPr({
          title,
          body: `${plan.text}\n\nBuilt from \`${specFile}\`. \`${testCommand}\` passes.`,
        });
        return { commit: sha, pullRequest: pr.url };
      },
      { phase: "deliver" },
    );
    await ctx.commentExecution(`Delivered: ${delivered.pullRequest}`);
    return { branch, ...delivered, testsPassed: tests.passed };
  },
});

function titleOf(spec: string): string {
  return /^# (.+)$/m.exec(spec)?.[1]?.trim() ?? "Feature";
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}
