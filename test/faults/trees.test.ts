import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { DEFINITIONS } from "./definitions.js";
import { gather, type Promised } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { Random } from "./random.js";
import { SEED } from "./seed.js";
import { counterLines } from "./traces.js";

const FILE = "report.txt";
/** Each tells in its file where its tree is, and goes on when `<file>.go` is there. */
const TREES = {
  replaces: workflow(
    "replaces",
    `
    await ctx.files.write("${FILE}", "old ".repeat(ctx.input.size));
    await ctx.shell(told, { name: "hold" });
    await ctx.files.write("${FILE}", "new ".repeat(ctx.input.size));
    await ctx.artifact("${FILE}", { path: "${FILE}" });`,
  ),
  commits: workflow(
    "commits",
    `
    await ctx.shell("echo work > work.txt; " + ctx.input.leave, { name: "leave", env: { FILE: ctx.input.file } });
    return await ctx.git.commit("Work");`,
  ),
  vanishes: workflow(
    "vanishes",
    `
    await ctx.files.write("one.txt", "1");
    const held = \`[ "$LONGHAUL_ATTEMPT" = 1 ] && { \${told}; }; echo 2 > two.txt; echo done\`;
    await ctx.shell(held, { name: "work", retry: { maxAttempts: ctx.input.tries, initialDelayMs: 1 } });
    await ctx.git.commit("Work");
    return (await ctx.files.read("one.txt")) + (await ctx.files.read("two.txt"));`,
  ),
};

const random = new Random(SEED);
const promised: Promised[] = [];

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start({ folder: testFolder(), definitions: { ...DEFINITIONS, ...TREES } });
});
afterAll(() => harness?.stop());

test("a worker that dies as a file takes its place leaves the old one or the new one, never a part (F5)", async () => {
  const size = random.between(1, 200_000);
  const [before, after] = ["old ".repeat(size), "new ".repeat(size)];
  const run = await begin("replaces", { size });
  const tree = await toldTree(run);
  harness.order(`file:written ${FILE}`);
  writeFileSync(`${run.file}.go`, "");
  await harness.followed();
  expect(readFileSync(join(tree, FILE), "utf8") === before).toBe(true);

  harness.order(`artifact:written ${FILE}`);
  await harness.followed();
  expect(readFileSync(join(tree, FILE), "utf8") === after).toBe(true);
  expect(storedFiles(run)).toEqual([]);
  expect(await harness.client.all(`/api/runs/${run.id}/artifacts`)).toEqual([]);

  await harness.client.finished(run.id);
  const [artifact] = await harness.client.all(`/api/runs/${run.id}/artifacts`);
  const wanted = createHash("sha256").update(after).digest("hex");
  expect(artifact).toMatchObject({ name: FILE, sha256: wanted, size_bytes: 4 * size, version: 1 });
  promised.push({ run_id: run.id, kind: "artifact", id: artifact.id, wanted });
});

test("an artifact with a byte that was changed on the disk is not given out, and said to be so (F32)", async () => {
  const run = await harness.count("count-shell", 1);
  await harness.client.finished(run.id);
  const bytes = Buffer.from("report ".repeat(random.between(1, 50_000)));
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(bytes)]), FILE);
  const answer = await harness.client.insist("POST", `/api/runs/${run.id}/artifacts`, { body: form });
  const { id, file_path, sha256 } = answer.body.data;
  promised.push({ run_id: run.id, kind: "artifact", id, wanted: sha256 });
  const file = join(harness.project.path, file_path);
  const changed = Buffer.from(bytes);
  const at = random.between(0, bytes.length - 1);
  changed.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(file, changed);

  for (const path of [`/api/artifacts/${id}/download`, `/api/artifacts/${id}`]) {
    const { status, headers, body } = await harness.client.ask("GET", path);
    expect(status).toBe(500);
    expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ code: "artifact_corrupted", detail: expect.stringMatching(/hash does not match/) });
  }
  writeFileSync(file, bytes); // the checker downloads it
});

const LOCK = 'lock="$(git rev-parse --absolute-git-dir)/index.lock"; echo "$lock" > "$FILE"';
const HELD = `${LOCK}; (trap 'rm -f "$lock"; exit' TERM; exec 9> "$lock"; until [ -e "$FILE.go" ]; do sleep 0.05; done; rm "$lock") > /dev/null 2>&1 < /dev/null & until [ -e "$lock" ]; do sleep 0.02; done`;

test("a lock of git's index is waited for while somebody holds it, and taken away when its owner is dead (F30)", async () => {
  const [held, kept] = [await begin("commits", { leave: HELD }), await begin("commits", { leave: HELD })];
  await vi.waitFor(async () => expect(await outcomesOf(held)).toEqual(["leave completed", "git-commit running"]), 20_000);
  const left = await begin("commits", { leave: `${LOCK}; : > "$lock"` });
  await harness.client.finished(left.id);
  expect(await outcomesOf(left)).toEqual(["leave completed", "git-commit completed"]);
  expect(existsSync(lockOf(left))).toBe(false);

  expect(existsSync(lockOf(held))).toBe(true);
  expect(await outcomesOf(held)).toEqual(["leave completed", "git-commit running"]);
  writeFileSync(`${held.file}.go`, "");
  for (const run of [held, kept]) await harness.client.finished(run.id);
  expect(await outcomesOf(held)).toEqual(["leave completed", "git-commit completed"]);
  for (const { id } of [left, held]) {
    const { body } = await harness.client.insist("GET", `/api/runs/${id}`);
    expect(git("show", "--format=", "--name-only", body.data.output.sha)).toBe("work.txt\n");
  }
  const { body } = await harness.client.insist("GET", `/api/runs/${kept.id}`);
  expect(body.data).toMatchObject({ status: "failed", error: { type: "git_locked" } });
  expect(body.data.error.message).toContain(lockOf(kept));
});

test("a tree that is deleted under a step fails it clearly, and the next try makes it as the step before has left it (F31)", async () => {
  const [again, once] = [await begin("vanishes", { tries: 2 }), await begin("vanishes", { tries: 1 })];
  const [one, other] = [await toldTree(again), await toldTree(once)];
  await sleep(random.between(0, 500));
  for (const tree of [one, other]) rmSync(tree, { recursive: true });
  for (const run of [again, once]) writeFileSync(`${run.file}.go`, "");
  for (const run of [again, once]) await harness.client.finished(run.id);

  const { body } = await harness.client.insist("GET", `/api/runs/${again.id}`);
  expect(body.data).toMatchObject({ status: "completed", output: "12\n" });
  const [, work] = await harness.client.all(`/api/runs/${again.id}/steps`);
  const { attempts } = (await harness.client.insist("GET", `/api/steps/${work.id}`)).body.data;
  expect(attempts).toMatchObject([{ status: "failed", error: { type: "workspace_missing" } }, { status: "completed" }]);

  expect(await outcomesOf(once)).toEqual(["files-write completed", "work failed"]);
  const failed = (await harness.client.insist("GET", `/api/runs/${once.id}`)).body.data;
  expect(failed).toMatchObject({ status: "failed", error: { type: "workspace_missing", step_id: "work" } });
  expect(failed.error.message).toContain(other);
});

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", { timeout: 120_000 }, async () => {
  expect(check(await gather(harness, { promised, rebuilt: true }))).toEqual([]);
});

/** In its body `told` is a command. */
function workflow(name: string, body: string): string {
  return `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "${name}",
  input: z.object({ file: z.string(), size: z.number().default(0), leave: z.string().default(""), tries: z.number().default(1) }),
  async execute(ctx) {
    const told = \`pwd > \${ctx.input.file}; until [ -e \${ctx.input.file}.go ]; do sleep 0.02; done\`;${body}
  },
});
`;
}

async function begin(name: keyof typeof TREES, input: object): Promise<WatchedRun & { file: string }> {
  const file = join(harness.folder, "counters", `${name}-${harness.runs.length}`);
  const run = await harness.begin(name, { ...input, file }, { counter: null, steps: 0 });
  return { ...run, file };
}

/** Where the run's tree is, once its step has begun that tells it. */
async function toldTree({ file }: { file: string }): Promise<string> {
  await vi.waitFor(() => expect(counterLines(file)).toHaveLength(1), { timeout: 20_000, interval: 10 });
  return readFileSync(file, "utf8").trim();
}

function lockOf({ file }: { file: string }): string {
  return readFileSync(file, "utf8").trim();
}

async function outcomesOf({ id }: WatchedRun): Promise<string[]> {
  return (await harness.client.all(`/api/runs/${id}/steps`)).map(({ step_id, status }) => `${step_id} ${status}`);
}

/** What of the run's artifacts is in its place. */
function storedFiles({ id }: WatchedRun): string[] {
  const folder = join(harness.project.path, ".agent/workflows/executions", id, "artifacts");
  const entries = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  return entries.filter((entry) => entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name);
}

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: harness.project.path, encoding: "utf8" });
}
