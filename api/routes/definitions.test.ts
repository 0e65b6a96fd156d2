import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { findWorkflow } from "../../db/workflows.js";
import { packageRoot } from "../../package-root.js";
import { type Api, HELLO, type Reply, startApi } from "../../test/support/api.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

const SHELL = `
name: two-steps
steps:
  - { key: build, type: script, command: make }
  - { key: lint, type: script, command: make lint }
  - { key: test, type: script, command: make test, dependencies: [build] }
`;
const validate = (body: object) => api.ask("POST", "/api/workflows/validate", body);
const execute = (body: object, headers = {}) => api.ask("POST", "/api/workflow/execute", body, headers);

interface StartedRun {
  id: string;
  workflow_id: string;
  workflow_revision: number;
}
const started = ({ status, body }: Reply): StartedRun => {
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.data;
};

function toolsDocument(name: string, message = "hello") {
  return { name, steps: [{ name: "say", tool: "everything.echo", params: { message } }] };
}

describe("checking a definition", () => {
  test("says what it would do, and keeps nothing", async () => {
    const { status, body } = await validate({ definition: SHELL });

    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      valid: true,
      name: "two-steps",
      dialect: "dag",
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      steps: [{ key: "build", kind: "shell", needs: [] }, { key: "lint" }, { key: "test", needs: ["build"] }],
      levels: [["build", "lint"], ["test"]],
    });
    expect((await api.ask("GET", "/api/workflows?q=two-steps")).body.page.total).toBe(0);
  });

  test("takes a text in YAML or JSON, or JSON itself, and all of them are the same content", async () => {
    const document = toolsDocument("same");
    const yaml = "name: same\nsteps:\n  - { name: say, tool: everything.echo, params: { message: hello } }\n";
    const given = [
      { definition: document },
      { definition: JSON.stringify(document) },
      { definition: JSON.stringify(document), format: "JSON" },
      { definition: yaml },
      { definition: yaml, format: "yaml", file: "same.yml" },
    ];

    const answers = await Promise.all(given.map(validate));

    const hashes = answers.map(({ body }) => (body.data as { hash: string }).hash);
    expect(new Set(hashes).size).toBe(1);
  });

  test.each(readdirSync(join(packageRoot, "examples/tools")))("takes the example %s", async (file) => {
    const definition = JSON.parse(readFileSync(join(packageRoot, "examples/tools", file), "utf8"));

    expect(await validate({ definition })).toMatchObject({ status: 200, body: { data: { dialect: "tools" } } });
  });

  test("gives the id of stages by the file's name", async () => {
    const definition =
      "stages: [plan]\nstageConfigs:\n  plan: { provider: claude-code, prompt: Plan it. }\nname: Plan\nid: planning\n";

    expect((await validate({ definition, file: "planning.workflow.yml" })).status).toBe(200);
    expect((await validate({ definition, file: "other.workflow.yml" })).body.errors).toMatchObject([{ path: "id" }]);
  });

  test("names every problem at its place", async () => {
    const definition = SHELL.replace("[build]", "[biuld]").replace("command: make }", "comand: make }");

    const { status, body } = await validate({ definition });

    expect(status).toBe(400);
    expect(body).toMatchObject({ code: "invalid", detail: expect.stringContaining("The definition is not right: ") });
    expect(body.errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: "steps[0].comand", line: 4, column: expect.any(Number) }),
        expect.objectContaining({
          path: expect.stringMatching(/^steps\[2\]/),
          line: 6,
          message: expect.stringContaining("build"),
        }),
      ]),
    );
  });

  test("names the places alone where the definition is no text", async () => {
    const { body } = await validate({ definition: { name: "x", steps: [{ name: "A", tool: "a.b" }] } });

    expect(body.errors).toEqual([{ path: "steps[0].name", message: expect.any(String) }]);
  });

  test("says where TypeScript belongs", async () => {
    for (const how of [{}, { format: "typescript" }, { file: "hello.ts" }]) {
      const { status, body } = await validate({ definition: HELLO, ...how });

      expect(status).toBe(400);
      expect(body.errors).toMatchObject([{ message: expect.stringContaining(".agent/workflows/definitions") }]);
    }
  });

  test("refuses a file whose ending says another format", async () => {
    expect((await validate({ definition: {}, file: "a.yaml" })).body.errors).toMatchObject([{ path: "file" }]);
    expect((await validate({ definition: "a: 1", file: "a.txt" })).body.errors).toMatchObject([{ path: "file" }]);
    expect((await validate({})).body.errors).toMatchObject([{ path: "definition" }]);
  });
});

describe("running a definition that comes with the request", () => {
  test("starts a run of a workflow made for it, with its input, variables and repository", async () => {
    const definition = JSON.parse(readFileSync(join(packageRoot, "examples/tools/issue_to_pr.json"), "utf8"));
    const repo = { owner: "octo", name: "shop", default_branch: "main" };

    const reply = await execute({ workflow: definition, input: { issue_number: 42 }, variables: { team: "web" }, repo });

    const run = started(reply);
    expect(reply.headers.get("Location")).toBe(`/api/runs/${run.id}`);
    expect(run).toMatchObject({
      status: "pending",
      name: "issue_to_pr",
      project_id: api.project.id,
      workflow_revision: 1,
      input: { issue_number: 42 },
      context: { repo, team: "web", variables: { team: "web" } },
    });
    const { body } = await api.ask("GET", `/api/workflows/${run.workflow_id}`);
    expect(body.data).toMatchObject({ name: "issue_to_pr", source: "api", path: null, type: "json", definition });
  });

  test("takes the bare document, as it stands in a file", async () => {
    expect(started(await execute(toolsDocument("bare")))).toMatchObject({ name: "bare", input: {}, context: {} });

    const workflow = { id: "staged", name: "Staged", stages: ["plan"] };
    const stages = { workflow, stageConfigs: { plan: { provider: "claude-code", prompt: "Plan it." } } };
    expect(started(await execute(stages))).toMatchObject({ name: "Staged", input: {} });
  });

  test("takes a text in YAML, and the options of any start", async () => {
    const options = { triggered_by: "ci", base_branch: "main", context: { a: 1 } };

    const run = started(await execute({ definition: SHELL, name: "Tonight", repo: "octo/shop", options }));

    expect(run).toMatchObject({ name: "Tonight", triggered_by: "ci", context: { a: 1, repo: { owner: "octo", name: "shop" } } });
    const { body } = await api.ask("GET", `/api/workflows/${run.workflow_id}`);
    expect(body.data).toMatchObject({ type: "yaml", definition: SHELL });
  });

  test("names the project's own repository where none is said", async () => {
    const repo = { owner: "acme", name: "site", default_branch: "trunk" };
    const setRepo = (columns: (string | null)[]) =>
      api.db.pool.query("update app.projects set repo_owner = $1, repo_name = $2, repo_default_branch = $3", columns);
    await setRepo(["acme", "site", "trunk"]);

    expect(started(await execute(toolsDocument("own_repo")))).toMatchObject({ context: { repo } });
    const named = await execute({ definition: toolsDocument("own_repo"), repo: "acme/site" });
    expect(started(named)).toMatchObject({ context: { repo } });
    await setRepo([null, null, null]);
  });

  test("is the same revision for the same content, and another for another", async () => {
    const revisions = [];
    for (const message of ["one", "two", "one", "two", "three"]) {
      revisions.push(started(await execute(toolsDocument("again", message))).workflow_revision);
    }

    expect(revisions).toEqual([1, 2, 1, 2, 3]);
  });

  test("makes one workflow and one revision, however many ask at once", async () => {
    const runs = await Promise.all(Array.from({ length: 6 }, () => execute(toolsDocument("at_once"))));

    expect(new Set(runs.map((reply) => started(reply).workflow_id)).size).toBe(1);
    expect(runs.map((reply) => started(reply).workflow_revision)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test("starts once with one key", async () => {
    const body = { definition: toolsDocument("once") };
    const [first, second] = [await execute(body, { "Idempotency-Key": "k1" }), await execute(body, { "Idempotency-Key": "k1" })];

    expect(started(second).id).toBe(started(first).id);
    expect((await execute({ ...body, input: { a: 1 } }, { "Idempotency-Key": "k1" })).status).toBe(422);
  });

  test("keeps nothing of a start whose definition, input or options are wrong", async () => {
    const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    const definition = { ...toolsDocument("careful"), input: schema };

    const wrongInput = await execute({ definition, input: { n: "many" } });
    const wrongDefinition = await execute({ definition: { ...definition, stesp: [] } });

    expect(wrongInput).toMatchObject({ status: 400, body: { errors: [{ path: expect.stringContaining("input") }] } });
    expect(wrongDefinition).toMatchObject({ status: 400, body: { errors: [{ path: "stesp" }] } });
    expect((await execute({ definition, input: { n: 1 }, colour: "red" })).body.errors).toMatchObject([{ path: "colour" }]);
    expect((await execute({ definition, repo: { owner: "a" } })).body.errors).toMatchObject([{ path: "repo" }]);
    expect((await api.ask("GET", "/api/workflows?q=careful")).body.page.total).toBe(0);
  });

  test("leaves the workflow of a file alone, and says so", async () => {
    await api.addWorkflow(HELLO);

    const { status, body } = await execute(toolsDocument("hello"));

    expect(status).toBe(409);
    expect(body).toMatchObject({
      code: "name_taken",
      detail: expect.stringMatching(/hello is the file .*\.ts here.* another name/),
    });
  });

  test("gives its name to a file that comes later", async () => {
    const run = started(await execute(toolsDocument("later")));

    const id = await api.addWorkflow(HELLO.replaceAll('"hello"', '"later"'));

    expect(id).toBe(run.workflow_id);
    expect(await findWorkflow(api.db, id)).toMatchObject({ source: "file", dialect: "typescript", revision: 2 });
    expect((await execute(toolsDocument("later"))).status).toBe(409);
  });

  test("is not started when its workflow is disabled", async () => {
    const { workflow_id } = started(await execute(toolsDocument("off")));
    await api.db.pool.query("update app.workflows set is_active = false where id = $1", [workflow_id]);

    expect(await execute(toolsDocument("off", "other"))).toMatchObject({ status: 409, body: { code: "disabled" } });
  });

  test("needs to be told the project when there are several", async () => {
    await api.db.pool.query("insert into app.projects (id, name, path) values ('prj_2', 'second', '/second')");
    const definition = toolsDocument("where");

    expect((await execute({ definition })).body.errors).toMatchObject([{ path: "project_id" }]);
    expect(started(await execute({ definition, projectId: api.project.id }))).toMatchObject({ project_id: api.project.id });
    await api.db.pool.query("delete from app.projects where id = 'prj_2'");
  });
});

describe("what follows a failed step", () => {
  test("is said at the start for all steps of a plan", async () => {
    const run = started(await execute({ definition: toolsDocument("failing"), options: { on_failure: "CONTINUE" } }));

    const { workflow } = api.temporal;
    const history = await workflow.getHandle(run.id).fetchHistory();
    const [payload] = history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    const spec = JSON.parse(Buffer.from(payload?.data ?? []).toString());
    expect(spec.program.plan.steps).toMatchObject([{ on_failure: "continue" }]);
  });

  test("is up to the code of a workflow in TypeScript", async () => {
    const { status, body } = await api.ask("POST", "/api/workflows/hello/execute", { options: { on_failure: "stop" } });

    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ path: "options.on_failure", message: expect.stringContaining("TypeScript") }]);
  });
});

describe("the schemas of definitions", () => {
  test.each(["phases", "stages", "dag", "tools"])("%s is there for everybody, and may be kept a while", async (name) => {
    for (const file of [`${name}.schema.json`, `${name}.json`]) {
      const response = await fetch(`${api.url}/schemas/${file}`);

      expect(response.status).toBe(200);
      expect(response.headers.get("Content-Type")).toMatch(/^application\/schema\+json/);
      expect(response.headers.get("Cache-Control")).toContain("max-age=");
      expect(await response.json()).toMatchObject({ $schema: "http://json-schema.org/draft-07/schema#" });
    }
  });

  test("of anything else are not", async () => {
    for (const file of ["code.json", "..%2fpackage.json", "tools"]) {
      expect((await fetch(`${api.url}/schemas/${file}`)).status).toBe(404);
    }
  });
});
