import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint, CheckpointCheck, CheckpointStats, WholeCheckpoint } from "../contract/checkpoint.js";
import type { PruneReport } from "../contract/retention.js";
import { readLateFacts } from "../db/rebuild.js";
import { scriptsOf } from "./support/flows.js";
import { git as gitIn } from "./support/git-project.js";
import { type Longhaul, longhaul, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

/** Files come up to half a minute behind, while the worker is busy. */
const FILED = { timeout: 50_000 };

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

describe("a checkpoint", () => {
  test("says what was done and is to come and where all of it is, and its check says what of that is gone", async () => {
    const run = await stack.start(scriptsOf("noting", ["echo one > notes.txt", "seq 2000", "rm notes.txt; echo two > new.txt"]), {
      ending: ".json",
    });
    await run.finished();

    const [third, second, first] = await checkpoints(run);
    expect(first).toMatchObject({ step_number: 1, completed_steps: ["s1"], pending_steps: ["s2", "s3"], tree_shared: false });
    expect(third).toMatchObject({ completed_steps: ["s1", "s2", "s3"], pending_steps: [] });
    expect(git("ls-tree", "--name-only", `${first?.tree_sha}`)).toContain("notes.txt");
    const refs = { [`refs/longhaul/${run.id}/1`]: first?.commit_sha, [`refs/longhaul/${run.id}/3`]: third?.commit_sha };
    for (const [ref, commit] of Object.entries(refs)) expect(git("rev-parse", ref)).toBe(commit);
    expect(git("branch", "--show-current")).toBe("main");
    expect(git("status", "--porcelain")).not.toContain("notes.txt");

    const whole: WholeCheckpoint = (await ask("GET", `/api/checkpoints/${second?.id}`)).body.data;
    expect(whole).toMatchObject({
      id: second?.id,
      step_results: {
        s1: { stepId: "s1", status: "completed", data: { exitCode: 0 } },
        s2: { data: { $file: "logs/002-s2/output.json" } },
      },
      tree: { commit_sha: second?.commit_sha, step_number: 2, ref: `refs/longhaul/${run.id}/2` },
      file_path: `.agent/workflows/executions/${run.id}/checkpoints/step-2.json`,
    });
    const file = join(stack.project, String(whole.file_path));
    await expect.poll(() => existsSync(file), FILED).toBe(true);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      execution_id: run.id,
      current_phase: "one",
      current_step_index: 2,
      completed_step_ids: ["s1", "s2"],
      pending_step_ids: ["s3"],
      step_results: whole.step_results,
    });
    await expect
      .poll(() => check(second))
      .toEqual({
        checkpoint_id: second?.id,
        run_id: run.id,
        valid: true,
        problems: [],
        tree: whole.tree,
        file_path: whole.file_path,
        steps: 2,
      });

    appendFileSync(file, "\n ");
    expect(await check(second)).toMatchObject({ valid: true }); // blanks say nothing
    appendFileSync(file, "{}");
    git("update-ref", "-d", `refs/longhaul/${run.id}/2`);
    rmSync(join(stack.project, `.agent/workflows/executions/${run.id}/logs/002-s2/output.json`));
    expect(await check(second)).toMatchObject({
      valid: false,
      problems: [
        { part: "tree", message: expect.stringContaining(`refs/longhaul/${run.id}/2`) },
        { part: "file", message: expect.stringContaining("step-2.json is not as it was written") },
        { part: "steps", message: expect.stringContaining("002-s2/output.json") },
      ],
    });
    git("update-ref", `refs/longhaul/${run.id}/1`, "HEAD");
    expect((await check(first)).problems).toEqual([
      { part: "tree", message: expect.stringContaining(`and not ${first?.commit_sha}`) },
    ]);
  });

  test("says that siblings wrote to its tree, is made and labelled by people, and counted", async () => {
    const until = "for i in $(seq 400); do test -e a -a -e b && break; sleep 0.02; done";
    const run = await stack.start(
      `import { defineWorkflow } from "longhaul";
       export default defineWorkflow({ name: "asking", async execute(ctx) {
         await ctx.parallel(["a", "b"].map((name) => () => ctx.shell("touch " + name + "; ${until}", { name })));
         ctx.set("seen", 1);
         await ctx.checkpoint("both");
         return (await ctx.approve("sure", { message: "Sure?" })).approved;
       } });`,
    );
    await run.until(({ status }) => status === "waiting");

    const made = await ask("POST", `/api/runs/${run.id}/checkpoints`, { label: "before the answer" });
    expect(made).toMatchObject({
      status: 201,
      body: {
        data: { label: "before the answer", created_by: "user", pending_steps: ["sure"], state: { seen: 1 }, commit_sha: null },
      },
    });
    const mine: WholeCheckpoint = made.body.data;
    expect(made.headers.get("location")).toBe(`/api/checkpoints/${mine.id}`);
    expect(mine.completed_steps.toSorted()).toEqual(["a", "b"]);
    const listed = await checkpoints(run);
    expect(listed.map(({ label, created_by }) => [label, created_by])).toEqual(
      expect.arrayContaining([
        ["before the answer", "user"],
        ["both", "user"],
        [null, "automatic"],
      ]),
    );
    const siblings = listed.filter(({ created_by }) => created_by === "automatic");
    expect(siblings.some(({ tree_shared }) => tree_shared)).toBe(true);
    expect(mine.tree?.commit_sha).toBe(siblings.toSorted((a, b) => (a.created_at < b.created_at ? 1 : -1))[0]?.commit_sha);
    const page = await ask("GET", `/api/runs/${run.id}/checkpoints?limit=3`);
    const rest = await ask("GET", `/api/runs/${run.id}/checkpoints?limit=3&cursor=${page.body.page.next_cursor}`);
    expect(([page.body.data, rest.body.data] as Checkpoint[][]).flat().map(({ id }) => id)).toEqual(listed.map(({ id }) => id));

    await relabel(siblings[0], "the first");
    await ask("POST", `/api/runs/${run.id}/approvals/sure`, { answer: "approve" });
    await run.finished();
    expect((await ask("POST", `/api/runs/${run.id}/checkpoints`, { label: "late" })).status).toBe(409);
    await relabel(mine, null);
    await expect.poll(() => check(mine), FILED).toMatchObject({ valid: true });
    expect(await readLateFacts(stack.project, run.id)).toMatchObject([{ type: "checkpoint.labelled", label: null }]);
    const { body } = await ask("GET", `/api/runs/${run.id}/events`);
    const types = (body.data as { type: string }[]).map(({ type }) => type);
    expect(types.filter((type) => type.startsWith("workflow.checkpoint."))).toEqual([
      "workflow.checkpoint.labelled",
      "workflow.checkpoint.created",
      "workflow.checkpoint.labelled",
      ...Array<string>(4).fill("workflow.checkpoint.created"), // the first of them
    ]);

    const stats: CheckpointStats = (await ask("GET", `/api/checkpoints/stats?run_id=${run.id}`)).body.data;
    const sums = { count: 5, size_bytes: (await checkpoints(run)).reduce((sum, { size_bytes }) => sum + size_bytes, 0) };
    expect(stats).toMatchObject({ ...sums, runs: [{ run_id: run.id, name: "asking", ...sums }] });
    expect(stats.oldest_age_ms).toBeGreaterThan(0);
  });
});

describe("what has been kept long enough", () => {
  test("goes when it is told to, and not before; what no branch has, and what a run under way needs, stays", async () => {
    const run = await stack.start(
      `import { defineWorkflow } from "longhaul";
       export default defineWorkflow({ name: "worked", async execute(ctx) {
         await ctx.git.ensureBranch("feature/worked");
         await ctx.shell("echo done | tee work.txt", { name: "work" });
         await ctx.git.commit("Work");
         await ctx.shell("echo left > left.txt", { name: "leave" });
         return (await ctx.approve("sure", { message: "Sure?" })).approved;
       } });`,
    );
    await run.until(({ status }) => status === "waiting");
    expect((await prune({ older_than_days: 0, run_id: run.id, dry_run: false })).items).toEqual([]); // it is open
    await ask("POST", `/api/runs/${run.id}/approvals/sure`, { answer: "approve" });
    await run.finished();
    const { id: forked }: { id: string } = (await ask("POST", `/api/runs/${run.id}/fork`, { step_number: 5 })).body.data;
    const waits = async () => (await ask("GET", `/api/runs/${forked}`)).body.data as { status: string };
    await expect.poll(waits).toMatchObject({ status: "waiting" });

    const reason = expect.stringContaining(forked);
    const held = await prune({ older_than_days: 0, run_id: run.id, dry_run: false });
    expect(held.items).toEqual([]);
    expect(held.kept).toEqual(["checkpoints", "trees", "logs"].map((kind) => ({ kind, run_id: run.id, reason })));
    await ask("POST", `/api/runs/${forked}/cancel`);
    await expect.poll(waits).toMatchObject({ status: "cancelled" });
    expect((await prune({ run_id: run.id, dry_run: false })).items).toEqual([]); // as the settings say, it is too early

    const { project_id } = await run.row();
    const tree = join(stack.config.home, "worktrees", project_id, run.id);
    const folder = join(stack.project, ".agent/workflows/executions", run.id);
    const refs = () => git("for-each-ref", "--format=%(refname)", `refs/longhaul/${run.id}/`);
    const pieces = async () => (await ask("GET", `/api/runs/${run.id}/logs`)).body.page.total;
    await expect.poll(() => existsSync(join(folder, "checkpoints/step-5.json")), FILED).toBe(true);
    const dry = await prune({ older_than_days: 0, run_id: run.id });
    expect(dry).toMatchObject({ dry_run: true, more: false, kept: [] });
    expect(dry.items).toMatchObject([
      { kind: "checkpoints", count: 5, problem: null },
      { kind: "trees", count: 1, kept_refs: [] },
      { kind: "logs" },
    ]);
    expect(dry.items.every(({ size_bytes }) => size_bytes !== null && size_bytes > 0)).toBe(true);
    expect([existsSync(tree), refs() !== "", await pieces()]).toEqual([true, true, expect.any(Number)]);

    const done = await prune({ older_than_days: 0, run_id: run.id, dry_run: false });
    expect(done.totals).toMatchObject([
      { kind: "checkpoints", runs: 1 },
      { kind: "trees", runs: 1 },
      { kind: "logs", runs: 1 },
    ]);
    const ref = `refs/longhaul-kept/${run.id}/tree`;
    expect(done.items.flatMap(({ kept_refs }) => kept_refs)).toEqual([ref]);
    expect(git("show", `${ref}:left.txt`)).toBe("left");
    expect(git("show", "feature/worked:work.txt")).toBe("done");
    expect([existsSync(tree), existsSync(join(folder, "checkpoints")), refs(), await pieces()]).toEqual([false, false, "", 0]);
    expect(readdirSync(join(folder, "logs/002-work")).sort()).toEqual(["input.json", "output.json", "summary.md"]);
    expect(await checkpoints(run)).toEqual([]);
    expect((await prune({ older_than_days: 0, run_id: run.id, dry_run: false })).items).toEqual([]);
    expect(await ask("POST", `/api/runs/${run.id}/fork`, { step_number: 5 })).toMatchObject({
      status: 409,
      body: { code: "checkpoints_removed" },
    });

    const gone = await prune({ older_than_days: 0, run_id: run.id, kinds: ["runs"], dry_run: false });
    expect(gone.totals).toMatchObject([{ kind: "runs", runs: 1 }]);
    expect((await ask("GET", `/api/runs/${run.id}`)).status).toBe(404);
    expect([existsSync(folder), git("show", `${ref}:left.txt`)]).toEqual([false, "left"]);
  });

  test("never lies outside the run's own places", async () => {
    const run = await stack.start(scriptsOf("linked", ["echo a > x"]), { ending: ".json" });
    await run.finished();
    const folder = join(stack.project, ".agent/workflows/executions", run.id);
    await expect.poll(() => existsSync(join(folder, "checkpoints/step-1.json")), FILED).toBe(true);
    const outside = join(stack.project, "..", "outside");
    renameSync(folder, outside);
    symlinkSync(outside, folder);

    await prune({ older_than_days: 0, run_id: run.id, dry_run: false });

    expect(readdirSync(join(outside, "checkpoints"))).toEqual(["step-1.json"]);
  });
});

async function prune(body: object): Promise<PruneReport> {
  const { status, body: answer } = await ask("POST", "/api/retention/prune", body);
  expect({ status, answer }).toMatchObject({ status: 200 });
  return answer.data;
}

async function checkpoints(run: StartedRun): Promise<Checkpoint[]> {
  return (await ask("GET", `/api/runs/${run.id}/checkpoints?limit=100`)).body.data;
}

async function check(checkpoint: Pick<Checkpoint, "id"> | undefined): Promise<CheckpointCheck> {
  return (await ask("GET", `/api/checkpoints/${checkpoint?.id}/validate`)).body.data;
}

async function relabel(checkpoint: Pick<Checkpoint, "id"> | undefined, label: string | null): Promise<void> {
  const { status, body } = await ask("PATCH", `/api/checkpoints/${checkpoint?.id}`, { label });
  expect({ status, body }).toMatchObject({ status: 200, body: { data: { id: checkpoint?.id, label } } });
}

function git(...args: string[]): string {
  return gitIn(stack.project, ...args);
}
