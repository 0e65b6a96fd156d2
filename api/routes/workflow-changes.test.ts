import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Api, HELLO, type Reply, startApi } from "../../test/support/api.js";
import { document, shown, workflowRequests, yaml } from "../../test/support/workflow-requests.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

const { created, put, get, onDisk, textOf } = workflowRequests(() => api);

describe("changing a workflow", () => {
  test("with JSON changes what differs in its YAML, and keeps the comments", async () => {
    const before = await created(yaml("edited"));
    const value = {
      name: "edited",
      description: "said now",
      steps: [
        { key: "build", command: "make all" },
        { key: "test", command: "make test", dependencies: ["build"] },
      ],
    };
    const reply = await put(before.id, { definition: value });

    const after = shown(reply);
    const text = yaml("edited", "make all").replace("name: edited\n", "name: edited\ndescription: said now\n");
    expect(after).toMatchObject({ id: before.id, revision: 2, description: "said now", path: before.path, definition: text });
    expect(textOf(before)).toBe(text);
    expect(shown(await put(before.id, { definition: value }))).toMatchObject({ revision: 2 });
  });

  test("with a text writes that; of JSON the indentation stays", async () => {
    const text = await created(yaml("verbatim"));
    const other = `${yaml("verbatim", "other")}\n\n# the end\n`;
    expect(shown(await put(text.id, { definition: other })).definition).toBe(other);
    expect(textOf(text)).toBe(other);

    const json = await created(JSON.stringify(document("tabbed"), null, "\t"), { format: "json" });
    await put(json.id, { definition: document("tabbed", "other") });
    expect(textOf(json)).toBe(`${JSON.stringify(document("tabbed", "other"), null, "\t")}\n`);
  });

  test("of comments alone is the same revision in other words", async () => {
    const before = await created(yaml("worded"));
    const tag = (await get(before.id)).headers.get("ETag");
    const text = `# Another word.\n${yaml("worded")}`;

    const reply = await put(before.id, { definition: text });

    expect(shown(reply)).toMatchObject({ revision: 1, definition: text });
    expect(reply.headers.get("ETag")).not.toBe(tag);
  });

  test("keeps the workflow when it gets another name, which must be free", async () => {
    const before = await created(yaml("old-name"));
    await created(yaml("used-name"));

    expect(await put(before.id, { definition: yaml("used-name", "x") })).toMatchObject({
      status: 409,
      body: { code: "name_taken" },
    });
    expect(textOf(before)).toBe(yaml("old-name"));
    expect(shown(await put(before.id, { definition: yaml("new-name") }))).toMatchObject({
      id: before.id,
      slug: "new-name",
      path: before.path,
      revision: 2,
    });
    expect((await get("old-name")).status).toBe(404);
  });

  test("refuses another dialect, another project, a wrong definition and nothing at all", async () => {
    const workflow = await created(yaml("refused"));
    const tools = { name: "refused", steps: [{ name: "say", tool: "a.b" }] };

    expect((await put(workflow.id, { definition: tools })).body.errors).toMatchObject([{ path: "definition" }]);
    expect((await put(workflow.id, { definition: yaml("refused").replace("build\n", "build two\n") })).body.errors).toMatchObject(
      [{ path: "steps[0].key", line: 5 }, expect.anything()],
    );
    expect((await put(workflow.id, {})).body.errors).toMatchObject([{ path: "definition" }]);
    await api.db.pool.query("insert into app.projects (id, name, path) values ('prj_other', 'other', '/other')");
    expect((await put(workflow.id, { project_id: "prj_other", enabled: true })).status).toBe(404);
    await api.db.pool.query("delete from app.projects where id = 'prj_other'");
    expect(textOf(workflow)).toBe(yaml("refused"));
  });

  test("that another one has changed meanwhile is refused; of two at once one wins", async () => {
    const workflow = await created(yaml("raced"));
    const tag = (await get(workflow.id)).headers.get("ETag") ?? "";

    const replies = await Promise.all(
      ["one", "two", "three"].map((command) => put(workflow.id, { definition: yaml("raced", command) }, { "If-Match": tag })),
    );

    expect(replies.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(replies.find(({ status }) => status === 409)?.body).toMatchObject({ code: "changed" });
    const won = shown(replies.find(({ status }) => status === 200) as Reply);
    expect(won.revision).toBe(2);
    expect(textOf(workflow)).toBe(won.definition);
    expect((await put(workflow.id, { enabled: false }, { "If-Match": "new" })).status).toBe(400);
    expect((await put(workflow.id, { enabled: false }, { "If-Match": `W/${tag}` })).status).toBe(409);
    expect((await put(workflow.id, { enabled: true }, { "If-Match": "*" })).status).toBe(200);
  });

  test("is refused where the file was saved since, and is made to what was saved where nothing is said", async () => {
    const workflow = await created(yaml("saved"));
    const tag = (await get(workflow.id)).headers.get("ETag") ?? "";
    writeFileSync(onDisk(workflow.path), yaml("saved", "by hand").replace("# Compile first.", "# By hand."));

    expect((await put(workflow.id, { definition: yaml("saved", "lost") }, { "If-Match": tag })).status).toBe(409);
    expect(textOf(workflow)).toContain("by hand");
    const value = { name: "saved", description: "new", steps: [{ key: "build", command: "by hand" }] };
    expect(shown(await put(workflow.id, { definition: value }))).toMatchObject({ revision: 3, description: "new" });
    expect(textOf(workflow)).toContain("# By hand.");
  });

  test("mends one that does not load", async () => {
    const workflow = await created(yaml("broken"));
    writeFileSync(onDisk(workflow.path), "name: [broken\n");
    expect((await put(workflow.id, { enabled: true })).body.data).toMatchObject({ load_error: { line: expect.any(Number) } });

    const value = { name: "broken", steps: [{ key: "build", command: "mended" }] };
    expect(shown(await put(workflow.id, { definition: value }))).toMatchObject({ revision: 2, load_error: null });
    expect(textOf(workflow)).toContain("# Compile first.");
  });

  test("of TypeScript takes its source", async () => {
    const source = HELLO.replaceAll("hello", "typed");
    const workflow = await created(source);

    expect((await put(workflow.id, { definition: { name: "typed" } })).status).toBe(400);
    expect(shown(await put(workflow.id, { definition: source.replace("leave", "stay") }))).toMatchObject({
      revision: 2,
      phases: ["greet", "stay"],
    });
  });

  test("of one that is no file makes a revision of it", async () => {
    const { body } = await api.ask("POST", "/api/workflow/execute", { definition: document("given") });
    const run: { workflow_id: string } = body.data;

    expect(shown(await put(run.workflow_id, { definition: document("given", "other") }))).toMatchObject({
      revision: 2,
      path: null,
      source: "api",
      definition: document("given", "other"),
    });
    expect(shown(await api.ask("POST", `/api/workflows/${run.workflow_id}/rollback`, { revision: 1 }))).toMatchObject({
      revision: 3,
      definition: document("given"),
    });
  });

  test("leaves the file's mode as it was, and writes through a link inside of the project", async () => {
    const workflow = await created(yaml("moded"));
    const real = onDisk("shared.yaml");
    writeFileSync(real, yaml("moded"), { mode: 0o640 });
    rmSync(onDisk(workflow.path));
    symlinkSync(real, onDisk(workflow.path));

    shown(await put(workflow.id, { definition: yaml("moded", "through") }));
    expect(readFileSync(real, "utf8")).toBe(yaml("moded", "through"));
    expect(statSync(real).mode & 0o777).toBe(0o640);
  });
});

describe("enabling and disabling", () => {
  test("decides whether it is started, and nothing else", async () => {
    const { id } = await created(yaml("switched"));

    expect(shown(await api.ask("PATCH", `/api/workflows/${id}`, { is_active: false }))).toMatchObject({
      enabled: false,
      is_active: false,
      revision: 1,
    });
    expect(await api.ask("POST", `/api/workflows/${id}/execute`, {})).toMatchObject({ status: 409, body: { code: "disabled" } });
    expect(shown(await put(id, { enabled: true })).enabled).toBe(true);
    expect((await api.ask("POST", `/api/workflows/${id}/execute`, {})).status).toBe(201);
    expect((await api.ask("PATCH", `/api/workflows/${id}`, { enabled: true, is_active: false })).status).toBe(400);
  });
});

describe("deleting a workflow", () => {
  test("takes its file away, and keeps the text in the audit", async () => {
    const workflow = await created(yaml("unwanted"));

    expect((await api.ask("DELETE", `/api/workflows/${workflow.id}`, undefined, { "If-Match": '"other"' })).status).toBe(409);
    expect((await api.ask("DELETE", `/api/workflows/${workflow.id}`)).status).toBe(204);
    expect(existsSync(onDisk(workflow.path))).toBe(false);
    expect((await get(workflow.id)).status).toBe(404);
    expect((await api.ask("DELETE", `/api/workflows/${workflow.id}`)).status).toBe(404);
    const { rows } = await api.db.pool.query("select data from app.audit where subject = $1 and action = 'workflow.delete'", [
      workflow.id,
    ]);
    expect(rows).toMatchObject([{ data: { path: workflow.path, text: yaml("unwanted"), runs: 0 } }]);
  });

  test("with runs needs force, keeps them, and gives the workflow back with its name", async () => {
    const workflow = await created(yaml("used"));
    const started = await api.ask("POST", `/api/workflows/${workflow.id}/execute`, {});
    const run: { id: string } = started.body.data;

    expect((await api.ask("DELETE", `/api/workflows/${workflow.id}`)).body).toMatchObject({
      status: 409,
      code: "in_use",
      detail: expect.stringMatching(/has 1 run, 1 of them open.*\?force=true/),
    });
    expect(existsSync(onDisk(workflow.path))).toBe(true);
    expect((await api.ask("DELETE", `/api/workflows/${workflow.id}?force=true`)).status).toBe(204);
    expect((await api.ask("GET", `/api/runs/${run.id}`)).status).toBe(200);
    expect((await api.ask("GET", "/api/workflows?q=used")).body.data).not.toContainEqual(
      expect.objectContaining({ id: workflow.id }),
    );
    expect((await put(workflow.id, { enabled: true })).status).toBe(404);
    expect((await api.ask("DELETE", `/api/workflows/${workflow.id}?force=true`)).status).toBe(404);

    expect(await created(yaml("used", "again"))).toMatchObject({ id: workflow.id, revision: 2, enabled: true });
  });

  test("that is built in is refused, as is every change of it", async () => {
    await api.db.pool.query(
      `insert into app.workflows (id, project_id, name, slug, type, dialect, source) values ('wf_own', null, 'own', 'own', 'yaml', 'dag', 'builtin')`,
    );
    const asked = [
      api.ask("DELETE", "/api/workflows/wf_own"),
      put("wf_own", { definition: yaml("own") }),
      api.ask("PATCH", "/api/workflows/wf_own", { enabled: false }),
    ];
    for (const reply of await Promise.all(asked)) expect(reply).toMatchObject({ status: 409, body: { code: "built_in" } });
  });
});

describe("rolling back", () => {
  test("makes an earlier text the newest revision", async () => {
    const workflow = await created(yaml("rolled"));
    await put(workflow.id, { definition: yaml("rolled", "second") });

    const back = shown(await api.ask("POST", `/api/workflows/${workflow.id}/rollback`, { revision: 1 }));

    expect(back).toMatchObject({ revision: 3, definition: yaml("rolled") });
    expect(textOf(workflow)).toBe(yaml("rolled"));
    const { body } = await api.ask("GET", `/api/workflows/${workflow.id}/versions`);
    expect(body.data).toMatchObject([{ revision: 3 }, { revision: 2 }, { revision: 1 }]);
    expect((await api.ask("POST", `/api/workflows/${workflow.id}/rollback`, { revision: 9 })).status).toBe(404);
    expect((await api.ask("POST", `/api/workflows/${workflow.id}/rollback`, {})).status).toBe(400);
  });

  test("of TypeScript compiles the old source again", async () => {
    const source = HELLO.replaceAll("hello", "retyped");
    const workflow = await created(source);
    await put(workflow.id, { definition: source.replace("leave", "stay") });

    expect(shown(await api.ask("POST", `/api/workflows/${workflow.id}/rollback`, { revision: 1 }))).toMatchObject({
      revision: 3,
      phases: ["greet", "leave"],
      definition: source,
    });
  });
});
