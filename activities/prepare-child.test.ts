import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChildRequest, MOST_DEPTH } from "../contract/child.js";
import type { Json } from "../contract/json.js";
import type { RunSpec } from "../contract/run-spec.js";
import { type Database, openDatabase } from "../db/database.js";
import { createProject } from "../db/projects.js";
import { registerBroken, registerLoaded } from "../db/registry.js";
import { workflows } from "../db/schema.js";
import { findWorkflow } from "../db/workflows.js";
import { freePort } from "../local/ports.js";
import { runActivity } from "../test/support/activity.js";
import { makeRepository } from "../test/support/repository.js";
import { testDatabase, testFolder } from "../test/support/stack.js";
import { createLoader } from "../worker/load.js";
import { type ChildDeps, prepareChild } from "./prepare-child.js";

const home = testFolder();
let db: Database;
let project: string;
let deps: ChildDeps;
let drop: () => Promise<void>;

beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  db = openDatabase(database.url);
  const loader = createLoader();
  deps = { home, findWorkflow: (name, projectId) => findWorkflow(db, name, projectId), checkInput: loader.checkInput };
  project = await makeRepository(testFolder());
  await createProject(db, { id: "prj_1", path: project, name: "sample", repo: null });
  const greet = { name: "greet", input: { properties: { who: { type: "string", default: "world" }, n: { type: "integer" } } } };
  for (const [path, definition] of Object.entries({ greet, off: { name: "off" } })) {
    const source = JSON.stringify({ ...definition, timeout: "5m", steps: [{ id: "a", type: "script", command: "true" }] });
    const compiled = await loader.compileText(source, `${path}.json`);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    await registerLoaded(db, { project_id: "prj_1", path: `${path}.json`, source }, compiled.workflow);
  }
  await db.orm.update(workflows).set({ isActive: false }).where(eq(workflows.name, "off"));
  const problem = { message: "It has no steps.", file: "broken.json", line: 1, column: 1 };
  await registerBroken(db, { project_id: "prj_1", path: "broken.json", source: "{}" }, problem);
});
afterAll(async () => {
  await db.close();
  await drop();
});

describe("a child is prepared", () => {
  test("with all that it carries out, its input's defaults, and its parent's project, user and context", async () => {
    expect(await prepared({ workflow: "greet", input: { n: 3 } })).toMatchObject({
      run_id: "run_child",
      name: "greet",
      project_id: "prj_1",
      project_path: project,
      user_id: "somebody",
      workflow_name: "greet",
      workflow_revision: 1,
      program: { kind: "plan", plan: { name: "greet" } },
      input: { who: "world", n: 3 },
      context: { repo: "r" },
      timeout_ms: 300_000,
      triggered_by: "workflow",
      priority: 5,
      parent_run_id: "run_parent",
      depth: 1,
      continue_after: 150,
    });
  });

  test.each([
    ["of its own", "own", { mode: "worktree", path: join(home, "worktrees/prj_1/run_child"), base_branch: "main" }],
    ["that is its parent's", "parent", { mode: "worktree", path: "/trees/parent", base_branch: null, owner: "run_parent" }],
  ] as const)("in a tree %s", async (_, workspace, expected) => {
    expect((await prepared({ workspace, base_branch: "main" })).workspace).toEqual(expected);
  });

  test("in a clone, where its parent works in one", async () => {
    const { workspace } = await prepared({}, { workspace: { mode: "clone", path: "/trees/parent", base_branch: null } });

    expect(workspace.mode).toBe("clone");
  });

  test("in the tree of the run whose tree its parent shares", async () => {
    const shared = { mode: "worktree", path: "/trees/first", base_branch: null, owner: "run_first" } as const;

    expect((await prepared({ workspace: "parent" }, { workspace: shared })).workspace).toEqual(shared);
  });

  test("in place, where the project has no git", async () => {
    const bare = join(testFolder(), "bare");
    mkdirSync(bare);

    expect((await prepared({}, { project_path: bare })).workspace).toEqual({ mode: "in_place", path: bare, base_branch: null });
  });

  test("once Postgres, which is away, is there again", async () => {
    const away = openDatabase(`postgres://nobody@127.0.0.1:${await freePort()}/none`);
    let asked = 0;
    const find: ChildDeps["findWorkflow"] = (name, id) => findWorkflow(++asked < 3 ? away : db, name, id);

    expect(await prepare({ ...deps, findWorkflow: find }, request())).toMatchObject({ workflow_name: "greet" });
    expect(asked).toBe(3);
    await away.close();
  });
});

test("a child that waits for Postgres is not waited for when its parent is stopped", async () => {
  const away = openDatabase(`postgres://nobody@127.0.0.1:${await freePort()}/none`);
  const environment = new MockActivityEnvironment();
  const waiting = environment.run(() => prepareChild({ ...deps, findWorkflow: (name) => findWorkflow(away, name) }, request()));
  setTimeout(() => environment.cancel("CANCELLED"), 300);

  await expect(waiting).rejects.toMatchObject({ name: "CancelledFailure" });
  await away.close();
});

test.each<[string, Partial<ChildRequest>, string, RegExp]>([
  ["is not there", { workflow: "gret" }, "workflow_missing", /gret/],
  ["is disabled", { workflow: "off" }, "workflow_disabled", /off is disabled/],
  ["cannot be loaded", { workflow: "broken" }, "workflow_broken", /It has no steps/],
  ["does not take such an input", { input: { n: "three" } }, "invalid_input", /input\.n: /],
  ["would have more input than Temporal takes", { input: { who: "x".repeat(2_000_000) } }, "invalid_input", /1900000 bytes/],
])("a workflow that %s is refused", async (_, asked, type, message) => {
  await expect(prepared(asked)).rejects.toMatchObject({ type, nonRetryable: true, message: expect.stringMatching(message) });
});

test(`a line of runs that start each other ends at ${MOST_DEPTH} under the first`, async () => {
  expect(await prepared({}, { depth: MOST_DEPTH - 1 })).toMatchObject({ depth: MOST_DEPTH });
  await expect(prepared({}, { depth: MOST_DEPTH })).rejects.toMatchObject({ type: "too_deep" });
});

function prepared(asked: Partial<ChildRequest>, parent: Partial<ChildRequest["parent"]> = {}) {
  const whole = request();
  return prepare(deps, { ...whole, ...asked, parent: { ...whole.parent, ...parent } });
}

function prepare(how: ChildDeps, asked: ChildRequest): Promise<RunSpec> {
  return runActivity((given: ChildRequest) => prepareChild(how, given), asked);
}

function request(): ChildRequest {
  const parent: ChildRequest["parent"] = {
    run_id: "run_parent",
    name: "parent",
    project_id: "prj_1",
    project_path: project,
    user_id: "somebody",
    workflow_id: "wf_parent",
    workflow_name: "parent",
    workflow_revision: 4,
    phases: ["ship"],
    context: { repo: "r" },
    workspace: { mode: "worktree", path: "/trees/parent", base_branch: null },
    timeout_ms: 0,
    triggered_by: null,
    priority: 5,
    parent_run_id: null,
    created_at: new Date().toISOString(),
    continue_after: 150,
  };
  return { run_id: "run_child", workflow: "greet", input: {} as Json, workspace: "own", base_branch: null, parent };
}
