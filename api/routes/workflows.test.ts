import { beforeAll, describe, expect, test } from "vitest";
import { type Api, HELLO, startApi } from "../../test/support/api.js";

let api: Api;
let id: string;

beforeAll(async () => {
  api = await startApi();
  id = await api.addWorkflow(HELLO);
});

describe("a workflow", () => {
  test("is shown with its source, by id and by slug", async () => {
    const byId = await api.ask("GET", `/api/workflows/${id}`);

    expect(byId.body).toMatchObject({
      data: {
        id,
        slug: "hello",
        type: "code",
        dialect: "typescript",
        phases: ["greet", "leave"],
        enabled: true,
        definition: HELLO,
      },
    });
    expect((await api.ask("GET", "/api/workflows/hello")).body).toEqual(byId.body);
    expect((await api.ask("GET", `/api/workflows/hello?projectId=${api.project.id}`)).body).toEqual(byId.body);
    expect((await api.ask("GET", "/api/workflows/nothing")).status).toBe(404);
  });

  test("is found in the list by a part of its name, and by whether it is active", async () => {
    const list = async (query: string) => (await api.ask("GET", `/api/workflows?${query}`)).body;

    expect(await list("q=HELL&is_active=true")).toMatchObject({ data: [{ id }], page: { total: 1 } });
    expect(await list("q=hel_o")).toMatchObject({ data: [] });
    expect(await list("isActive=false")).toMatchObject({ data: [] });
    expect(await list("q=hello&dialect=TypeScript,dag")).toMatchObject({ data: [{ id }] });
    expect(await list("q=hello&dialect=dag")).toMatchObject({ data: [] });
    expect(await list("tags=none")).toMatchObject({ data: [] });
    expect(await list("author=nobody")).toMatchObject({ data: [] });
    for (const wrong of ["tags=", "tags=a,,b", "dialect=cobol", "author="]) {
      expect(await list(wrong), wrong).toMatchObject({ code: "invalid", errors: [{ path: expect.any(String) }] });
    }
  });

  test("has a version for each content, and counts its runs", async () => {
    await api.startRun();
    await api.startRun();

    expect((await api.ask("GET", `/api/workflows/${id}/versions`)).body).toMatchObject({
      data: [{ revision: 1, loaded: true }],
      page: { total: 1 },
    });
    expect((await api.ask("GET", `/api/workflows/${id}`)).body).toMatchObject({
      data: { stats: { executions: 2, successful: 0, success_rate: null } },
    });
  });

  test("that could not be loaded says where, and is not started", async () => {
    const broken = await api.addWorkflow(HELLO.replaceAll("hello", "broken"));
    const error = { message: "Unexpected token", file: "broken.ts", line: 3, column: 9 };
    await api.db.pool.query("update app.workflows set load_error = $2 where id = $1", [broken, error]);

    expect((await api.ask("GET", `/api/workflows/${broken}`)).body).toMatchObject({ data: { load_error: error } });
    const { status, body } = await api.ask("POST", `/api/workflows/${broken}/execute`, {});
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ path: "broken.ts", message: "Unexpected token", line: 3, column: 9 }] });
  });

  test("whose slug several projects have must be named by more than that", async () => {
    await api.db.pool.query("insert into app.projects (id, name, path) values ('prj_2', 'second', '/second')");
    await api.db.pool.query(
      `insert into app.workflows (id, project_id, name, slug, type, dialect, source) values ('wfl_2', 'prj_2', 'hello', 'hello', 'code', 'typescript', 'file')`,
    );

    expect((await api.ask("GET", "/api/workflows/hello")).status).toBe(409);
    expect((await api.ask("POST", "/api/runs", { workflow: "hello" })).status).toBe(409);
    expect((await api.ask("GET", `/api/workflows/hello?project_id=${api.project.id}`)).body).toMatchObject({ data: { id } });
    expect((await api.ask("GET", "/api/workflows/hello?project_id=prj_2")).body).toMatchObject({ data: { id: "wfl_2" } });
  });
});
