import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { packageRoot } from "../package-root.js";
import { type Longhaul, longhaul } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

const EVERYTHING = join(packageRoot, "node_modules/@modelcontextprotocol/server-everything/dist/index.js");

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
  const mcpServers = { everything: { command: process.execPath, args: [EVERYTHING, "stdio"] } };
  mkdirSync(join(stack.project, ".agent"), { recursive: true });
  writeFileSync(join(stack.project, ".agent/mcp.json"), JSON.stringify({ mcpServers }));
});

interface Step {
  step_id: string;
  status: string;
  input: unknown;
  output: unknown;
}
interface EndedRun {
  id: string;
  status: string;
  workflow_id: string;
  output: unknown;
  error: unknown;
  steps: Step[];
}

/** A run of what is sent, when it has finished. */
async function ended(body: object): Promise<EndedRun> {
  const reply = await ask("POST", "/api/workflow/execute", body);
  expect(reply.body.errors).toBeUndefined();
  const { id }: EndedRun = reply.body.data;
  return whenEnded(id);
}

function whenEnded(id: string): Promise<EndedRun> {
  return vi.waitFor(async () => {
    const run: EndedRun = (await ask("GET", `/api/runs/${id}`)).body.data;
    expect(run.status).toMatch(/^(completed|failed)$/);
    return run;
  }, 60_000);
}

test("a document with tools is run as it comes, with input, variables and repository in its params", async () => {
  const run = await ended({
    definition: {
      name: "triage",
      dialect: "tools",
      steps: [
        {
          name: "say",
          tool: "everything.echo",
          params: { message: "${repo.owner}/${repo.name}#${input.issue_number} for ${team} (${variables.team})" },
          assign: "said",
        },
        {
          name: "count",
          type: "script",
          command: 'printf %s "$NUMBER"',
          env: { NUMBER: "${input.issue_number}" },
          if: "${said}",
        },
        { name: "never", tool: "everything.echo", params: { message: "x" }, if: "${input.never}" },
      ],
    },
    input: { issue_number: 42, never: false },
    variables: { team: "web" },
    repo: { owner: "octo", name: "shop", default_branch: "main" },
  });

  expect(run).toMatchObject({ status: "completed", error: null });
  expect(run.steps.map(({ step_id, status }) => `${step_id} ${status}`)).toEqual([
    "say completed",
    "count completed",
    "never skipped",
  ]);
  expect(run.steps[0]).toMatchObject({ input: { message: "octo/shop#42 for web (web)" } });
  expect(JSON.stringify(run.steps[0]?.output)).toContain("octo/shop#42 for web (web)");
  expect(run.steps[1]?.output).toMatchObject({ stdout: "42" });
});

test("the repository of its project is there for a workflow of a file as well, and in the run's own columns", async () => {
  await stack.db.pool.query("update app.projects set repo_owner = 'acme', repo_name = 'shop', repo_default_branch = 'trunk'");
  const steps = [
    { name: "say", tool: "everything.echo", params: { message: "${repo.owner}/${repo.name}@${repo.default_branch}" } },
  ];
  const source = JSON.stringify({ name: "from_file", steps });
  await (await stack.start(source, { ending: ".json" })).finished();

  const reply = await ask("POST", "/api/runs", { workflow: "from_file", input: { issue_number: 42 } });

  const { id }: EndedRun = reply.body.data;
  expect(reply.body.data).toMatchObject({ context: { repo: { owner: "acme", name: "shop", default_branch: "trunk" } } });
  const run = await whenEnded(id);
  expect(run).toMatchObject({ status: "completed", steps: [{ input: { message: "acme/shop@trunk" } }] });
  const { rows } = await stack.db.pool.query("select repo_owner, repo_name, issue_number from workflow_runs where id = $1", [id]);
  expect(rows).toEqual([{ repo_owner: "acme", repo_name: "shop", issue_number: 42 }]);
});

test("a step called repo is not hidden by the repository", async () => {
  const steps = [
    { key: "repo", type: "script", command: "printf mine" },
    { key: "use", type: "script", command: "printf %s {{repo.stdout}}", dependencies: ["repo"] },
  ];

  const run = await ended({ definition: { name: "own-repo", steps } });

  expect(run.steps[1]?.output).toMatchObject({ stdout: "mine" });
});

describe("a run that nobody attends", () => {
  const attendance = { options: { interactive: false } };
  const approval = (more: object) => ({ id: "sure", type: "approval", message: "Sure?", ...more });
  const after = { id: "after", type: "script", command: "true" };

  test("has each approval's default at once, whatever its deadline", async () => {
    const steps = [approval({ deadline: "30 days", default: "approve" }), after];

    const run = await ended({ definition: { name: "unattended", dialect: "phases", steps }, ...attendance });

    expect(run).toMatchObject({
      status: "completed",
      steps: [{ status: "completed", output: { approved: true, by: null } }, {}],
    });
  });

  test("is rejected where that is the default, and fails where there is none", async () => {
    const deadline = "30 days";
    const rejecting = { name: "rejecting", dialect: "phases", steps: [approval({ deadline, default: "reject" }), after] };
    const asking = { name: "asking", dialect: "phases", steps: [approval({}), after] };

    const rejected = await ended({ definition: rejecting, ...attendance });
    const failed = await ended({ definition: asking, ...attendance });

    expect(rejected).toMatchObject({ status: "failed", error: { type: "approval_rejected" } });
    expect(failed).toMatchObject({
      status: "failed",
      error: { type: "not_interactive", message: expect.stringContaining("Give the approval a default") },
      steps: [{ status: "failed" }],
    });
  });

  test("nor the runs it starts, in TypeScript too", async () => {
    const code = `import { defineWorkflow } from "longhaul";
      export default defineWorkflow({ name: "asks", async execute(ctx) {
        return (await ctx.approve("sure", { message: "Sure?", deadline: "30 days", default: "approve" })).by;
      } });`;
    const attended = await stack.start(code);
    await attended.until(({ status }) => status === "waiting");
    const steps = [{ id: "child", type: "workflow", workflow: "asks", input: {} }];

    const run = await ended({ definition: { name: "starts", dialect: "phases", steps }, ...attendance });

    expect(run).toMatchObject({ status: "completed", steps: [{ status: "completed", output: null }] });
  });
});

test("its run folder holds the definition as it was sent", async () => {
  const definition = { name: "kept", steps: [{ name: "say", tool: "everything.echo", params: { message: "hello" } }] };

  const { id } = await ended(definition);

  const file = join(stack.project, ".agent/workflows/executions", id, "definition.json");
  const { source } = JSON.parse(await vi.waitFor(() => readFileSync(file, "utf8"), 10_000));
  expect(JSON.parse(source)).toEqual(definition);
});

test("a failure strategy given at the start wins over what its steps say", async () => {
  const step = (name: string, command: string, more = {}) => ({ name, type: "script", command, ...more });
  const definition = {
    name: "strict",
    dialect: "tools",
    steps: [step("breaks", "exit 3"), step("after", "true")],
    config: { continueOnError: true },
  };

  const said = await ended({ definition });
  const stopped = await ended({ definition, options: { on_failure: "stop" } });

  expect(said).toMatchObject({ status: "completed", steps: [{ status: "failed" }, { step_id: "after", status: "completed" }] });
  expect(stopped).toMatchObject({ status: "failed", error: { type: "shell_failed" } });
  expect(stopped.workflow_id).toBe(said.workflow_id);
});
