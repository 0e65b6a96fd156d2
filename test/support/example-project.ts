import { mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { expect, vi } from "vitest";
import { type GitHubServer, startGitHubServer } from "../../local/github-server.js";
import type { Rule } from "../../local/model-script.js";
import type { ModelServer } from "../../local/model-server.js";
import { packageRoot } from "../../package-root.js";
import { git } from "./git-project.js";
import { type Longhaul, longhaul } from "./longhaul.js";
import { scriptedModel } from "./scripted-model.js";
import { type Ask, served } from "./served.js";
import { testFolder, whenThrough } from "./stack.js";

const TOKEN = "right";

export interface ExampleStep {
  step_id: string;
  name: string;
  phase: string | null;
  status: string;
  attempt: number;
  input: unknown;
  output: unknown;
  error: { type: string; message: string } | null;
}

export interface ExampleRun {
  id: string;
  status: string;
  output: unknown;
  error: { type: string; message: string; step_id: string | null } | null;
  steps: ExampleStep[];
}

/**
 * A project `ada/engine` with all that the shipped examples call: a GitHub and a model of its own, the example servers
 * `deploy` and `observability` over the folder `services`, and this package's programs on PATH.
 */
export interface ExampleProject {
  stack: Longhaul;
  model: ModelServer;
  github: GitHubServer;
  /** Releases and logs, by service. */
  services: string;
  /** Commit files, and push the branch. @param branch made from main when it is another. @default main */
  commit(files: Readonly<Record<string, string>>, branch?: string): void;
  /** Ask the GitHub, as `owner/name` ada/engine. */
  onGitHub<Answer>(method: string, path: string, body?: object): Promise<Answer>;
  /** Ask Longhaul over HTTP. */
  ask: Ask;
  /** Start a run of a definition that comes with its request, for ada/engine. */
  begin(definition: object | string, input?: object, more?: object): Promise<string>;
  /** The run as the API has it. */
  get(id: string): Promise<ExampleRun>;
  /** The run when it has finished. */
  finished(id: string): Promise<ExampleRun>;
}

export async function exampleProject(rules: readonly Rule[]): Promise<ExampleProject> {
  const model = await scriptedModel({ rules });
  process.env.PATH = [join(packageRoot, "node_modules/.bin"), process.env.PATH].join(delimiter);
  const stack = await longhaul();
  git(stack.project, "config", "user.name", "Ada");
  git(stack.project, "config", "user.email", "ada@example.com");
  const remote = git(stack.project, "remote", "get-url", "origin");
  const github = await startGitHubServer({ repositories: [{ owner: "ada", name: "engine", path: remote }], token: TOKEN });
  git(stack.project, "config", "longhaul.repository", "ada/engine");
  await stack.worker.stop();
  Object.assign(stack.config, { githubApiUrl: github.url, githubToken: TOKEN });
  stack.worker = await stack.startWorker();

  const services = realpathSync(testFolder());
  const server = (name: string, ...args: string[]) => ({
    command: process.execPath,
    args: [join(packageRoot, "examples/servers", name, "server.mjs"), ...args],
  });
  const mcpServers = { deploy: server("deploy", services, "${project}"), observability: server("observability", services) };
  write(join(stack.project, ".agent/mcp.json"), JSON.stringify({ mcpServers }));
  whenThrough(() => github.stop());
  const ask = await served(stack);
  const get = async (id: string): Promise<ExampleRun> => (await ask("GET", `/api/runs/${id}`)).body.data;

  return {
    stack,
    model,
    github,
    services,
    ask,
    get,
    commit(files, branch = "main") {
      if (branch !== "main") git(stack.project, "switch", "--quiet", "--create", branch, "main");
      for (const [path, content] of Object.entries(files)) write(join(stack.project, path), content);
      git(stack.project, "add", "--", ...Object.keys(files));
      git(stack.project, "commit", "--quiet", "--message=More");
      git(stack.project, "push", "--quiet", "origin", branch);
      if (branch !== "main") git(stack.project, "switch", "--quiet", "main");
    },
    async onGitHub(method, path, body) {
      const response = await fetch(`${github.url}/repos/ada/engine/${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      expect(response.status).toBeLessThan(300);
      return response.json();
    },
    async begin(definition, input = {}, more = {}) {
      const repo = { owner: "ada", name: "engine", default_branch: "main" };
      const reply = await ask("POST", "/api/workflow/execute", { definition, input, repo, ...more });
      expect(reply).toMatchObject({ status: 201 });
      const { id }: { id: string } = reply.body.data;
      return id;
    },
    finished: (id) =>
      vi.waitFor(
        async () => {
          const run = await get(id);
          expect(run.status, JSON.stringify(run.steps.map(({ step_id, status, error }) => [step_id, status, error]))).toMatch(
            /^(completed|failed|cancelled|timed_out)$/,
          );
          return run;
        },
        { timeout: 90_000, interval: 100 },
      ),
  };
}

/** `key status`, in the order in which the steps were done. */
export function stepsOf({ steps }: Pick<ExampleRun, "steps">): string[] {
  return steps.map(({ step_id, status }) => `${step_id} ${status}`);
}

/** A shipped example of calls of tools, as data. */
export function toolsExample(name: string): object {
  return JSON.parse(readFileSync(join(packageRoot, "examples/tools", `${name}.json`), "utf8"));
}

/** A scripted answer in the shape that was asked for. */
export function answer(input: Record<string, unknown>): { tool: string; input: Record<string, unknown> } {
  return { tool: "StructuredOutput", input };
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
