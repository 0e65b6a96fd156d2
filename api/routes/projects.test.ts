import { existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Project } from "../../contract/project.js";
import { runFolder } from "../../db/run-folder.js";
import { type Api, HELLO, startApi } from "../../test/support/api.js";
import { testFolder } from "../../test/support/stack.js";
import { git } from "../git.js";

let api: Api;
let folder: string;

beforeAll(async () => {
  api = await startApi();
  folder = realpathSync(testFolder());
  writeFileSync(join(folder, "file"), "");
});

async function add(path: string): Promise<Project> {
  return (await api.ask("POST", "/api/projects", { path })).body.data;
}

describe("a project", () => {
  test("is added by its path once, without links, with the repository of its origin", async () => {
    const path = join(folder, "shop");
    mkdirSync(path);
    await git(path, "init", "-b", "trunk");
    await git(path, "remote", "add", "origin", "git@github.com:acme/shop.git");
    symlinkSync(path, join(folder, "link"));
    const first = await api.ask("POST", "/api/projects", { path: join(folder, "link") });
    const again = await api.ask("POST", "/api/projects", { path: `${path}/../shop/`, name: "Other" });

    expect(first).toMatchObject({
      status: 201,
      body: { data: { name: "shop", path, repo: { owner: "acme", name: "shop", default_branch: "trunk" } } },
    });
    expect(again).toMatchObject({ status: 200, body: first.body });
  });

  test.each([
    ["is not absolute", () => "shop"],
    ["is not there", () => join(folder, "nowhere")],
    ["is a file", () => join(folder, "file")],
  ])("whose path %s is refused", async (_what, path) => {
    const reply = await api.ask("POST", "/api/projects", { path: path() });

    expect(reply).toMatchObject({ status: 400, body: { errors: [{ path: "path" }] } });
  });

  test("is listed, shown and renamed", async () => {
    mkdirSync(join(folder, "named"));
    const { id } = await add(join(folder, "named"));

    expect((await api.ask("PATCH", `/api/projects/${id}`, { name: "Named" })).body).toMatchObject({
      data: { id, name: "Named" },
    });
    expect((await api.ask("GET", `/api/projects/${id}`)).body).toMatchObject({ data: { name: "Named", repo: null } });
    expect((await api.ask("GET", "/api/projects?limit=1")).body).toMatchObject({ data: [{ id }], page: { limit: 1 } });
    expect((await api.ask("PATCH", `/api/projects/${id}`, { path: "/" })).status).toBe(400);
  });

  test("without git can only be worked on in place", async () => {
    mkdirSync(join(folder, "plain"));
    const { id } = await add(join(folder, "plain"));
    await api.addWorkflow(HELLO);
    await api.db.pool.query("update app.workflows set project_id = null where slug = 'hello'");

    expect(
      (await api.ask("POST", "/api/runs", { workflow: "hello", project_id: id, options: { workspace: "worktree" } })).status,
    ).toBe(400);
    expect((await api.ask("POST", "/api/runs", { workflow: "hello", project_id: id })).status).toBe(201);
  });

  test("is found by the repository that the input names; else it must be named", async () => {
    expect((await api.ask("POST", "/api/runs", { workflow: "hello" })).body).toMatchObject({ errors: [{ path: "project_id" }] });
    const source = HELLO.replaceAll("hello", "anywhere").replace("extra:", "repo: z.string().optional(), extra:");
    const workflow = await api.addWorkflow(source);
    await api.db.pool.query("update app.workflows set project_id = null where id = $1", [workflow]);
    const reply = await api.ask("POST", "/api/runs", { workflow: "anywhere", input: { repo: "Acme/shop" } });

    const { project_id: project }: { project_id: string } = reply.body.data;
    expect((await api.ask("GET", `/api/projects/${project}`)).body).toMatchObject({ data: { name: "shop" } });
  });

  test("with an open run is deleted by force alone, with all below it", async () => {
    mkdirSync(join(folder, "doomed"));
    const { id, path } = await add(join(folder, "doomed"));
    const { id: run }: { id: string } = (await api.ask("POST", "/api/runs", { workflow: "hello", project_id: id })).body.data;
    await api.ask("POST", `/api/runs/${run}/comments`, { text: "going" });
    mkdirSync(runFolder(path, run), { recursive: true });
    writeFileSync(join(path, "precious.txt"), "mine");

    expect((await api.ask("DELETE", `/api/projects/${id}`)).status).toBe(409);
    expect((await api.ask("DELETE", `/api/projects/${id}?force=true`)).status).toBe(204);
    expect((await api.ask("GET", `/api/projects/${id}`)).status).toBe(404);
    expect((await api.ask("GET", `/api/runs/${run}`)).status).toBe(404);
    expect(existsSync(runFolder(path, run))).toBe(false);
    expect(existsSync(join(path, "precious.txt"))).toBe(true);
    const { rows } = await api.db.pool.query("select run_id from app.tombstones where run_id = $1", [run]);
    expect(rows).toHaveLength(1);
  });

  test("called scratch is made for the first run of an empty installation", async () => {
    await api.db.pool.query("delete from mirror.runs");
    await api.db.pool.query("delete from app.projects");
    const reply = await api.ask("POST", "/api/runs", { workflow: "anywhere" });

    const { project_id: project }: { project_id: string } = reply.body.data;
    expect((await api.ask("GET", `/api/projects/${project}`)).body).toMatchObject({
      data: { name: "scratch", path: realpathSync(join(api.home, "scratch")) },
    });
  });
});
