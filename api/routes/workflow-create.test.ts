import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../contract/id.js";
import { createProject } from "../../db/projects.js";
import { type Api, HELLO, startApi } from "../../test/support/api.js";
import { testFolder } from "../../test/support/stack.js";
import { document, FOLDER, shown, workflowRequests, yaml } from "../../test/support/workflow-requests.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

const { create, created, put, get, onDisk, textOf } = workflowRequests(() => api);

describe("making a workflow", () => {
  test("writes a text to the project as it is, and can be started at once", async () => {
    const reply = await create(yaml("Make it"));

    const workflow = shown(reply, 201);
    expect(reply.headers.get("Location")).toBe(`/api/workflows/${workflow.id}`);
    expect(workflow).toMatchObject({
      name: "Make it",
      slug: "make-it",
      path: `${FOLDER}/make-it.yaml`,
      dialect: "dag",
      type: "yaml",
      source: "file",
      revision: 1,
      enabled: true,
      project_id: api.project.id,
      definition: yaml("Make it"),
    });
    expect(textOf(workflow)).toBe(yaml("Make it"));
    expect(readdirSync(onDisk(FOLDER)).filter((name) => name.startsWith("."))).toEqual([]);
    expect((await get(workflow.id)).headers.get("ETag")).toBe(reply.headers.get("ETag"));
    expect((await api.ask("POST", `/api/workflows/${workflow.id}/execute`, {})).status).toBe(201);
    const { rows } = await api.db.pool.query("select action, user_id from app.audit where subject = $1", [workflow.id]);
    expect(rows).toEqual([{ action: "workflow.create", user_id: expect.any(String) }]);
  });

  test("writes JSON as JSON, or as YAML when that is asked for", async () => {
    const json = await created(document("as-json"));
    expect(json).toMatchObject({ type: "json", path: `${FOLDER}/as-json.json`, definition: document("as-json") });
    expect(textOf(json)).toBe(`${JSON.stringify(document("as-json"), null, 2)}\n`);

    const inYaml = await created(document("as-yaml"), { format: "yaml" });
    expect(textOf(inYaml)).toBe("name: as-yaml\nsteps:\n  - key: build\n    command: make\n");
  });

  test("calls the file of stages by their id, and takes TypeScript and other places", async () => {
    const stages =
      "id: planning\nname: Plan\nstages: [plan]\nstageConfigs:\n  plan: { provider: claude-code, prompt: Plan it. }\n";
    expect(await created(stages)).toMatchObject({ dialect: "stages", path: `${FOLDER}/planning.workflow.yml` });

    const code = await created(HELLO.replaceAll("hello", "coded"), { dialect: "typescript" });
    expect(code).toMatchObject({ type: "code", path: `${FOLDER}/coded.ts`, phases: ["greet", "leave"] });
    expect((await api.ask("POST", `/api/workflows/${code.id}/execute`, {})).status).toBe(201);

    expect(await created(yaml("elsewhere"), { path: ".orch/workflows/there.yaml", enabled: false })).toMatchObject({
      path: ".orch/workflows/there.yaml",
      enabled: false,
    });
    expect((await api.ask("POST", "/api/workflows/elsewhere/execute", {})).status).toBe(409);
  });

  test("names every problem at its place, and leaves nothing behind", async () => {
    const before = readdirSync(onDisk(FOLDER));
    const { status, body } = await create(yaml("wrong").replace("[build]", "[biuld]").replace("command: make", "comand: make"));

    expect(status).toBe(400);
    expect(body.errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: "steps[1].comand", line: 7, column: expect.any(Number) }),
        expect.objectContaining({ line: 7, message: expect.stringContaining("build") }),
      ]),
    );
    const code = HELLO.replaceAll("hello", "wrong").replace("async execute", "async } execute");
    expect((await create(code)).body.errors).toMatchObject([{ line: 7, column: expect.any(Number) }]);
    expect((await create(yaml("other"), { dialect: "tools" })).body.errors).toMatchObject([{ path: "dialect" }]);
    expect((await create(yaml("other"), { path: `${FOLDER}/other.json`, format: "yaml" })).body.errors).toMatchObject([
      { path: "path" },
    ]);
    expect(readdirSync(onDisk(FOLDER))).toEqual(before);
  });

  test("takes a name once, and no file that is there", async () => {
    await created(yaml("Taken"));
    writeFileSync(onDisk(`${FOLDER}/mine.yaml`), "not ours");

    expect((await create(document("taken"))).body).toMatchObject({
      code: "name_taken",
      detail: expect.stringContaining("taken.yaml"),
    });
    expect((await create(yaml("mine"))).body).toMatchObject({ status: 409, code: "path_taken" });
    expect(readFileSync(onDisk(`${FOLDER}/mine.yaml`), "utf8")).toBe("not ours");
    expect((await api.ask("GET", "/api/workflows?q=mine")).body.page.total).toBe(0);
    rmSync(onDisk(`${FOLDER}/mine.yaml`));
    await created(yaml("mine"));
  });

  test("with one key is done once, however often it is asked for", async () => {
    const headers = { "Idempotency-Key": newId("key") };
    const ask = () => api.ask("POST", "/api/workflows", { definition: yaml("once") }, headers);

    const replies = await Promise.all([ask(), ask(), ask()]);

    expect(new Set(replies.map((reply) => shown(reply, 201).id)).size).toBe(1);
    const again = await ask();
    expect(again.headers.get("Location")).toBe(`/api/workflows/${shown(again, 201).id}`);
    expect(again.headers.get("ETag")).toMatch(/^"[0-9a-f]{32}"$/);
    expect((await api.ask("POST", "/api/workflows", { definition: yaml("twice") }, headers)).status).toBe(422);
  });
});

describe("attacks", () => {
  test.each([
    "../outside.yaml",
    "/etc/outside.yaml",
    `${FOLDER}/../../../outside.yaml`,
    `${FOLDER}/a/b.yaml`,
    `${FOLDER}/%2e%2e.txt`,
    `${FOLDER}\\outside.yaml`,
    `${FOLDER}/a\nb.yaml`,
    `${FOLDER}/.yaml`.replace("/.", "/ ."),
    "package.json",
    `${FOLDER}/${"x".repeat(400)}.yaml`,
  ])("nothing is written to %j", async (path) => {
    const { status, body } = await create(yaml(newId("attack")), { path });

    expect({ status, body }).toMatchObject({ status: 400, body: { errors: [{ path: "path" }] } });
  });

  test("a name cannot lead anywhere, nor break a line", async () => {
    const odd = await created(yaml("'../../../etc/cron.d/odd'"));
    expect(odd.path).toBe(`${FOLDER}/etc-cron-d-odd.yaml`);

    for (const name of ['"two\\nlines"', '"bell\\a"', '"back\\u0000"']) {
      const { status, body } = await create(yaml(name));
      expect({ name, status, body }).toMatchObject({ status: 400 });
    }
    expect((await create(document("bell\u0007"))).status).toBe(400);
  });

  test("no link leads out of the project", async () => {
    const outside = testFolder();
    const { path, ask } = await linkedProject(outside);
    writeFileSync(join(outside, "secret.yaml"), yaml("secret"));

    expect(await ask(yaml("led-out"))).toMatchObject({ status: 409, body: { code: "outside" } });
    expect(readdirSync(outside)).toEqual(["secret.yaml"]);
    expect(existsSync(join(path, FOLDER, "led-out.yaml"))).toBe(false);

    const linked = await created(yaml("linked"));
    rmSync(onDisk(linked.path));
    symlinkSync(join(outside, "secret.yaml"), onDisk(linked.path));
    expect(await put(linked.id, { definition: yaml("linked", "other") })).toMatchObject({
      status: 409,
      body: { code: "outside" },
    });
    expect(await api.ask("DELETE", `/api/workflows/${linked.id}`)).toMatchObject({ status: 409 });
    expect(readFileSync(join(outside, "secret.yaml"), "utf8")).toBe(yaml("secret"));
    rmSync(onDisk(linked.path));
  });

  test("what is too large or too deep is refused, and nothing is kept of it", async () => {
    expect((await create(`name: big\n# ${"x".repeat(5_000_000)}\nsteps: []`)).status).toBe(413);
    const wide = `name: wide\nsteps:\n  - key: a\n    command: ${"x".repeat(1_000_000)}\n`;
    expect((await create(wide)).status).toBe(400);
    const deep = JSON.parse(`${'{"a":'.repeat(90)}1${"}".repeat(90)}`);
    expect((await create({ name: "deep", steps: [], deep })).status).toBe(400);
    const bomb = [
      "a: &a [x, x]",
      ..."bcdefghijklmnop".split("").map((key, i) => `${key}: &${key} [*${"abcdefghijklmno"[i]}, *${"abcdefghijklmno"[i]}]`),
    ];
    expect((await create(bomb.join("\n"))).status).toBe(400);
  });

  async function linkedProject(outside: string) {
    const path = realpathSync(testFolder());
    mkdirSync(join(path, dirname(FOLDER)), { recursive: true });
    symlinkSync(outside, join(path, FOLDER));
    const { project } = await createProject(api.db, { id: newId("prj"), path, name: "linked", repo: null });
    const ask = async (definition: string) => {
      const reply = await create(definition, { project_id: project.id });
      await api.db.pool.query("delete from app.projects where id = $1", [project.id]);
      return reply;
    };
    return { path, ask };
  }
});
