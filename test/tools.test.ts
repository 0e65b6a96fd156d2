import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ownerMark, thisProcess } from "../activities/process-owner.js";
import { startGitHubServer } from "../local/github-server.js";
import { packageRoot } from "../package-root.js";
import { git } from "./support/git-project.js";
import { type Longhaul, longhaul } from "./support/longhaul.js";

const SERVERS = join(packageRoot, "node_modules/@modelcontextprotocol");

let stack: Longhaul;
beforeAll(async () => {
  stack = await longhaul();
  const mcpServers = {
    everything: { command: process.execPath, args: [join(SERVERS, "server-everything/dist/index.js"), "stdio"] },
    files: { command: process.execPath, args: [join(SERVERS, "server-filesystem/dist/index.js"), `\${workspace}`] },
  };
  mkdirSync(join(stack.project, ".agent"), { recursive: true });
  writeFileSync(join(stack.project, ".agent/mcp.json"), JSON.stringify({ mcpServers }));
});

describe("ctx.tool", () => {
  test("is a step: params in, value out", async () => {
    const run = await stack.start(
      file(`
        const weather = await ctx.tool<{ humidity: number }>("everything.get-structured-content", { location: "Chicago" });
        return weather.humidity;`),
    );

    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", output: 82 });
    expect(row.steps).toMatchObject([
      {
        step_id: "everything.get-structured-content",
        kind: "tool",
        status: "completed",
        input: { location: "Chicago" },
        output: { humidity: 82 },
      },
    ]);
  });

  test("fails its step with the tool's words, and is tried again as its policy says", async () => {
    const run = await stack.start(
      file(`
        try {
          await ctx.tool("files.read_text_file", { path: "/etc/passwd" }, { retry: { maxAttempts: 2, initialDelayMs: 10 } });
        } catch (error) {
          if (!(error instanceof StepFailed)) throw error;
          return [error.type, error.message];
        }`),
    );

    const row = await run.finished();

    expect(row.output).toEqual(["tool_failed", expect.stringContaining("Access denied")]);
    expect(row.steps).toMatchObject([{ status: "failed", attempt: 2, max_attempts: 2 }]);
  });

  test("has a server in the run's own tree when its settings say so", async () => {
    const run = await stack.start(
      file(`
        await ctx.tool("files.write_file", { path: ctx.projectPath + "/NOTES.md", content: "from a tool" });
        return (await ctx.git.status()).files;`),
    );

    expect((await run.finished()).output).toEqual([expect.objectContaining({ path: "NOTES.md" })]);
    expect(readdirSync(stack.project)).not.toContain("NOTES.md");
  });

  test("says what a name looks like that is none", async () => {
    const run = await stack.start(file(`await ctx.tool("everything");`));

    expect((await run.finished()).error).toMatchObject({ message: expect.stringContaining('as in "github.getIssue"') });
  });

  test("calls the built-in tools with the worker's settings", async () => {
    const path = git(stack.project, "remote", "get-url", "origin");
    const github = await startGitHubServer({ repositories: [{ owner: "ada", name: "engine", path }], token: "right" });
    await stack.worker.stop();
    Object.assign(stack.config, { githubApiUrl: github.url, githubToken: "right" });
    stack.worker = await stack.startWorker();
    const run = await stack.start(
      file(`
        const repository = { owner: "ada", repo: "engine" };
        const issue = await ctx.tool<{ number: number }>("github.createIssue", { ...repository, title: "Broken" });
        const branch = await ctx.tool<{ branch: string }>("github.createBranch", { ...repository, branch: "fix/" + issue.number });
        await ctx.tool("github.updateFile", { ...repository, path: "fix.txt", content: "x", message: "Fix", branch: branch.branch });
        const pull = { title: "Fix it", head: branch.branch };
        return ctx.tool("github.createPullRequest", { ...repository, ...pull }, { name: "open" });`),
    );

    const row = await run.finished();
    await github.stop();

    expect(row).toMatchObject({ status: "completed", output: { number: 2, title: "Fix it", head: { ref: "fix/1" } } });
    expect(row.steps.map(({ step_id }) => step_id)).toEqual([
      "github.createIssue",
      "github.createBranch",
      "github.updateFile",
      "open",
    ]);
  });

  test("leaves no server behind when its worker stops", async () => {
    const run = await stack.start(file(`return ctx.tool("everything.echo", { message: "x" });`));
    await run.finished();
    expect(servers().length).toBeGreaterThan(0);
    await stack.worker.stop();

    expect(servers()).toEqual([]);
    stack.worker = await stack.startWorker();
  });
});

let files = 0;
function file(body: string): string {
  return `
    import { defineWorkflow, StepFailed } from "longhaul";
    export default defineWorkflow({ name: "tools-${++files}", async execute(ctx) {
      ${body}
    } });`;
}

/** Processes that are to end with this one, the launcher's own children left out. */
function servers(): string[] {
  const mark = `LONGHAUL_OWNER=${ownerMark(thisProcess())}`;
  return readdirSync("/proc").flatMap((name) => {
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "latin1").replaceAll("\0", " ");
      return readFileSync(`/proc/${name}/environ`, "latin1").includes(mark) && command.includes("server-") ? [command] : [];
    } catch {
      return [];
    }
  });
}
