import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../contract/id.js";
import { Workflow } from "../../contract/workflow.js";
import { createProject } from "../../db/projects.js";
import { LonghaulClient } from "../../sdk/client.js";
import { type Api, HELLO, startApi, TOKEN } from "../../test/support/api.js";
import { testFolder } from "../../test/support/stack.js";
import { document, FOLDER, shown, workflowRequests, yaml } from "../../test/support/workflow-requests.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

const { created, put } = workflowRequests(() => api);

describe("duplicating", () => {
  const duplicate = (id: string, body: object = {}) => api.ask("POST", `/api/workflows/${id}/duplicate`, body);

  test("keeps all but the name", async () => {
    const workflow = await created(yaml("Twin"));

    const copy = shown(await duplicate(workflow.id), 201);
    expect(copy).toMatchObject({
      name: "Twin copy",
      path: `${FOLDER}/twin-copy.yaml`,
      revision: 1,
      definition: yaml("Twin").replace("name: Twin", "name: Twin copy"),
    });
    expect(copy.id).not.toBe(workflow.id);
    expect(shown(await duplicate(workflow.id), 201).name).toBe("Twin copy 2");
    expect(shown(await duplicate(workflow.id, { name: "Other twin", enabled: false }), 201)).toMatchObject({ enabled: false });
    expect((await duplicate(workflow.id, { name: "Other twin" })).body).toMatchObject({ code: "name_taken" });
  });

  test("gives stages another id, and TypeScript to another project alone", async () => {
    const stages = "id: loop\nname: Loop\nstages: [plan]\nstageConfigs:\n  plan: { provider: claude-code, prompt: Plan it. }\n";
    const { id } = await created(stages);
    expect(shown(await duplicate(id), 201)).toMatchObject({ name: "Loop copy", path: `${FOLDER}/loop-copy.workflow.yml` });

    const path = realpathSync(testFolder());
    const { project } = await createProject(api.db, { id: newId("prj"), path, name: "second", repo: null });
    const code = await created(HELLO.replaceAll("hello", "carried"), { project_id: api.project.id });
    expect((await duplicate(code.id, { name: "renamed" })).body).toMatchObject({ status: 409, code: "name_in_code" });
    expect(shown(await duplicate(code.id, { project_id: project.id }), 201)).toMatchObject({
      name: "carried",
      project_id: project.id,
    });
    expect(readFileSync(join(path, FOLDER, "carried.ts"), "utf8")).toBe(HELLO.replaceAll("hello", "carried"));
    await api.db.pool.query("delete from app.projects where id = $1", [project.id]);
  });
});

describe("texts", () => {
  const exported = (id: string, query = "") => api.ask("GET", `/api/workflows/${id}/export${query}`);

  test("come out as they were written, in another format, or in another dialect", async () => {
    const { id } = await created(yaml("exported"));
    await put(id, { definition: yaml("exported", "second") });

    const own = await exported(id);
    expect(own.body).toBe(yaml("exported", "second"));
    expect(own.headers.get("Content-Type")).toBe("application/yaml; charset=utf-8");
    expect(own.headers.get("Content-Disposition")).toContain('attachment; filename="exported.yaml"');
    expect((await exported(id, "?revision=1")).body).toBe(yaml("exported"));
    const json = await exported(id, "?format=json");
    expect(json.headers.get("Content-Disposition")).toContain('filename="exported.json"');
    expect(json.body).toMatchObject({ name: "exported", steps: [{ key: "build", command: "second" }, { key: "test" }] });

    const phases = yaml("in-phases").replace("  - { key: test, command: make test, dependencies: [build] }\n", "");
    const simple = await created(phases.replaceAll("key: build", "key: build\n    type: script"));
    expect((await exported(simple.id, "?dialect=tools")).status).toBe(400);
    expect((await exported(id, "?dialect=stages")).body).toMatchObject({
      status: 400,
      errors: expect.arrayContaining([expect.objectContaining({ message: expect.stringContaining("stages") })]),
    });
    expect((await exported(id, "?revision=7")).status).toBe(404);
    const code = await created(HELLO.replaceAll("hello", "out"));
    expect((await exported(code.id)).body).toBe(HELLO.replaceAll("hello", "out"));
    expect((await exported(code.id, "?format=json")).body).toMatchObject({ status: 400, errors: [{ path: "format" }] });
  });

  test("of every revision can be read", async () => {
    const { id } = await created(document("read-again"));
    await put(id, { definition: document("read-again", "second") });

    expect((await api.ask("GET", `/api/workflows/${id}/versions/1`)).body.data).toEqual({
      workflow_id: id,
      revision: 1,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      loaded: true,
      created_at: expect.any(String),
      source: `${JSON.stringify(document("read-again"), null, 2)}\n`,
      definition: document("read-again"),
    });
    expect((await api.ask("GET", `/api/workflows/${id}/versions/3`)).status).toBe(404);
  });
});

describe("the client", () => {
  test("changes what it has read, and not what another one has changed since", async () => {
    const client = new LonghaulClient({ url: api.url, token: TOKEN });
    const made = await created(yaml("by-client"));
    const path = `/api/workflows/${made.id}`;
    const { data, tag: ifMatch } = await client.getTagged(path, Workflow);

    expect(data).toMatchObject({ name: "by-client", revision: 1 });
    const body = { definition: yaml("by-client", "second") };
    expect(await client.put(path, Workflow, body, { ifMatch })).toMatchObject({ revision: 2 });
    await expect(client.put(path, Workflow, body, { ifMatch })).rejects.toMatchObject({ status: 409, code: "changed" });
    await expect(client.delete(path, {}, { ifMatch })).rejects.toMatchObject({ status: 409, code: "changed" });
    expect(await client.patch(path, Workflow, { enabled: false })).toMatchObject({ enabled: false });
    expect(await client.text(`${path}/export`, { revision: 1 })).toBe(yaml("by-client"));
    await client.delete(path);
    await expect(client.getTagged(path, Workflow)).rejects.toMatchObject({ status: 404 });
  });
});
