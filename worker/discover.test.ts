import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Database, openDatabase } from "../db/database.js";
import { createProject, deleteProject } from "../db/projects.js";
import { testDatabase, testFolder, whenThrough } from "../test/support/stack.js";
import { Discovery } from "./discover.js";
import { createLoader } from "./load.js";

const SOON = { timeout: 15_000, interval: 50 };

let db: Database;
let folder: string;
let discovery: Discovery;
let loads: string[];
let said: string[];
let count = 0;

beforeAll(async () => {
  const database = await testDatabase();
  db = openDatabase(database.url);
  whenThrough(async () => {
    await db.close();
    await database.drop();
  });
});

beforeEach(async () => {
  const path = testFolder();
  const id = `prj_${++count}`;
  folder = join(path, ".agent/workflows/definitions");
  mkdirSync(folder, { recursive: true });
  await createProject(db, { id, name: id, path, repo: null });
  const loader = createLoader();
  loads = [];
  said = [];
  discovery = new Discovery({
    db,
    home: path,
    log: pino({ level: "warn" }, { write: (line) => void said.push(line) }),
    loader: {
      ...loader,
      load(file, root) {
        if (root === path) loads.push(file.slice(folder.length + 1));
        return loader.load(file, root);
      },
    },
  });
});

afterEach(async () => {
  await discovery.stop();
  await deleteProject(db, `prj_${count}`, { force: true });
});

test("files that are there are registered, and new ones as they come", async () => {
  save("a.ts", definition("a"));
  save("wrong.ts", "export default 1;");
  await discovery.start();
  expect(await registered()).toMatchObject({ a: { revision: 1, broken: false }, wrong: { revision: 0, broken: true } });

  save("b.ts", definition("b"));
  await expect.poll(registered, SOON).toMatchObject({ b: { revision: 1, broken: false } });
});

test("workflows of stages are found in both of their folders, under the name of their file", async () => {
  const stages = (name: string) => `name: ${name}\nstages: [plan]\nplan: { command: "true" }\n`;
  const root = join(folder, "../../..");
  for (const [file, text] of [
    ["workflows/first.workflow.yml", `id: first\n${stages("First")}`],
    [".orch/workflows/second.workflow.yml", stages("Second")],
    ["workflows/other.workflow.yml", `id: another\n${stages("Other")}`],
    ["workflows/no-workflow.yml", stages("None")],
  ] as const) {
    mkdirSync(join(root, file, ".."), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  await discovery.start();

  const found = await registered();
  expect(
    Object.values(found)
      .map(({ broken }) => broken)
      .toSorted(),
  ).toEqual([false, false, true]);
  expect(found).toMatchObject({ First: { revision: 1 }, Second: { revision: 1 } });
});

test.each([
  ["at once", (file: string, text: string) => writeFileSync(file, text)],
  [
    "by a file that takes its place",
    (file: string, text: string) => {
      writeFileSync(`${file}.part`, text);
      renameSync(`${file}.part`, file);
    },
  ],
  [
    "in pieces",
    async (file: string, text: string) => {
      writeFileSync(file, "");
      for (const piece of text.match(/.{1,30}/gs) ?? []) {
        await sleep(10);
        appendFileSync(file, piece);
      }
    },
  ],
  [
    "by taking it away and writing it anew",
    async (file: string, text: string) => {
      rmSync(file);
      await sleep(40);
      writeFileSync(file, text);
    },
  ],
])("a file saved %s is a new revision of its workflow", async (_how, write) => {
  save("a.ts", definition("a"));
  await discovery.start();
  const before = await registered();

  await write(join(folder, "a.ts"), definition("a", "return 2;"));
  await expect.poll(registered, SOON).toMatchObject({ a: { id: before.a?.id, revision: 2, broken: false } });
});

test("a workflow that gets another name in its file stays the same one", async () => {
  save("a.ts", definition("a"));
  await discovery.start();
  const before = await registered();

  save("a.ts", definition("renamed"));
  await expect.poll(registered, SOON).toEqual({ renamed: { ...before.a, revision: 2 } });
});

test("a disabled workflow is disabled still when its file is back after a while", async () => {
  save("a.ts", definition("a"));
  await discovery.start();
  const before = await registered();
  await db.pool.query("update app.workflows set is_active = false where id = $1", [before.a?.id]);

  rmSync(join(folder, "a.ts"));
  await expect.poll(registered, SOON).toEqual({});
  save("a.ts", definition("a"));
  await expect.poll(registered, SOON).toMatchObject({ a: { id: before.a?.id, revision: 1 } });
  const { rows } = await db.pool.query("select is_active from app.workflows where id = $1", [before.a?.id]);
  expect(rows).toEqual([{ is_active: false }]);
});

test("a change of comments alone is the same content in other words", async () => {
  save("a.yaml", "name: a\nsteps:\n  - { id: x, type: script, command: 'true' }\n");
  await discovery.start();
  const before = await registered();
  const commented = "# first\nname: a\nsteps:\n  - { id: x, type: script, command: 'true' }\n";
  save("a.yaml", commented);

  const source = async () =>
    (await db.pool.query("select source from app.workflow_versions where workflow_id = $1", [before.a?.id])).rows;
  await expect.poll(source, SOON).toEqual([{ source: commented }]);
});

test("what is half written a little longer is not said to be wrong, and what is wrong is", async () => {
  save("a.ts", definition("a"));
  await discovery.start();
  const text = definition("a", "return 2;");
  save("a.ts", text.slice(0, 50));
  await sleep(60);
  appendFileSync(join(folder, "a.ts"), text.slice(50));
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2, broken: false } });
  expect(said).toEqual([]);

  save("a.ts", text.slice(0, 50));
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2, broken: true } });
  save("a.ts", text);
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2, broken: false } });
});

test("a change of what a file imports is a change of it, and of no other file", async () => {
  mkdirSync(join(folder, "shared"));
  save("shared/text.ts", 'export const text = "one";');
  save("a.ts", `import { text } from "./shared/text.js";\n${definition("a", "return text;")}`);
  save("b.ts", definition("b"));
  await sleep(100);
  await discovery.start();
  loads = [];

  save("shared/text.ts", 'export const text = "two";');
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2 }, b: { revision: 1 } });
  save("b.ts", definition("b", "return 2;"));
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2 }, b: { revision: 2 } });
  expect(loads.filter((file) => file === "b.ts")).toHaveLength(1);
});

test("a change of the functions that a definition calls is a change of it", async () => {
  mkdirSync(join(folder, "lib"));
  save("lib/release.ts", "export const publish = () => 1;");
  save("a.yaml", "name: a\nactivities: ./lib/release.ts\nsteps:\n  - { id: a, type: activity, activity: publish }\n");
  await discovery.start();
  expect(await registered()).toMatchObject({ a: { revision: 1, broken: false } });
  await sleep(200);

  save("lib/release.ts", "export const publish = () => 2;");
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2, broken: false } });
  save("lib/release.ts", "export const announce = () => 2;");
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2, broken: true } });
});

test("a new file may be what an import means from now on", async () => {
  mkdirSync(join(folder, "text"));
  save("text/index.ts", 'export const text = "folder";');
  save("a.ts", `import { text } from "./text";\n${definition("a", "return text;")}`);
  await discovery.start();
  await sleep(200);

  save("text.ts", 'export const text = "file";');
  await expect.poll(registered, SOON).toMatchObject({ a: { revision: 2 } });
});

test("of two files with one name the second waits for the first to go", async () => {
  save("a.ts", definition("one"));
  save("b.ts", definition("one"));
  await discovery.start();
  expect(await registered()).toMatchObject({ one: { path: "a.ts", broken: false }, b: { broken: true } });

  rmSync(join(folder, "a.ts"));
  await expect.poll(registered, SOON).toEqual({ one: { id: expect.anything(), path: "b.ts", revision: 2, broken: false } });
});

test("a workflow goes with its file", async () => {
  save("a.ts", definition("a"));
  await discovery.start();
  rmSync(join(folder, "a.ts"));

  await expect.poll(registered, SOON).toEqual({});
});

function definition(name: string, body = ""): string {
  return `import { defineWorkflow } from "longhaul";\nexport default defineWorkflow({ name: "${name}", async execute() { ${body} } });\n`;
}

function save(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

interface Row {
  id: string;
  path: string;
  revision: number;
  broken: boolean;
}

async function registered(): Promise<Record<string, Row>> {
  const { rows } = await db.pool.query(
    "select name, id, revision, load_error is not null as broken, file_path from app.workflows where project_id = $1 and archived_at is null",
    [`prj_${count}`],
  );
  return Object.fromEntries(
    rows.map(({ name, id, revision, broken, file_path }) => [name, { id, revision, broken, path: file_path.split("/").at(-1) }]),
  );
}
