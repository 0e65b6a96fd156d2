import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../contract/json.js";
import { rebuild } from "../worker/rebuild.js";
import { Replayer } from "../worker/replayer.js";
import type { Reply } from "./support/api.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

describe("a restore", () => {
  test("of a failed run does the step again that failed, in the same run, with tree and branch as they were", async () => {
    const outside = join(stack.project, "..", "effects");
    const run = await stack.start(
      workflow(
        "delivery",
        `const say = (word) => "echo " + word + " >> ${outside}; ";
         await ctx.shell(say("write") + "echo draft > notes.txt", { name: "write" });
         const { branch } = await ctx.git.ensureBranch("feature/notes");
         await ctx.git.commit("A draft");
         await ctx.shell(say("more") + "echo uncommitted > more.txt", { name: "more" });
         await ctx.run("count", () => { ctx.set("seen", 1); });
         await ctx.shell(say("check") + "echo later > notes.txt; rm more.txt; git add -A; git commit -qm later; test -e ${outside}.ok", { name: "check" });
         await ctx.git.push();
         return { branch, seen: ctx.get("seen"), notes: await ctx.files.read("notes.txt") };`,
      ),
    );
    const failed = await run.finished();
    expect(failed).toMatchObject({ status: "failed", error: { step_id: "check" } });
    writeFileSync(`${outside}.ok`, "");

    const reply = await ask("POST", `/api/runs/${run.id}/retry`);

    expect(reply.status).toBe(200);
    expect(reply.body.data).toMatchObject({ id: run.id, status: "pending", resume_count: 1, error: null, parent_run_id: null });
    const row = await run.finished();
    expect(row).toMatchObject({
      status: "completed",
      resume_count: 1,
      branch_name: "feature/notes",
      state: { seen: 1 },
      output: { branch: "feature/notes", seen: 1, notes: "later\n" },
      current_step_index: 7,
      _count: { steps: 7 },
    });
    expect(row.steps.map(({ step_number, step_id, status }) => `${step_number} ${step_id} ${status}`)).toEqual([
      "1 write completed",
      "2 git-ensure-branch completed",
      "3 git-commit completed",
      "4 more completed",
      "5 count completed",
      "7 check completed",
      "8 git-push completed",
    ]);
    expect(row.steps.slice(0, 5)).toEqual(failed.steps.slice(0, 5));
    expect(row.temporal.run_id).not.toBe(failed.temporal.run_id);
    expect(readFileSync(outside, "utf8")).toBe("write\nmore\ncheck\ncheck\n");
    expect(git(row, "log", "--format=%s", "-3").split("\n").slice(0, 2)).toEqual(["later", "A draft"]);

    const all = await ask("GET", `/api/runs/${run.id}?superseded=true`);
    const { steps }: RunRow = all.body.data;
    expect(steps.map(({ superseded }) => superseded)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => n === 6));
    const events: { type: string; seq: number; data: { checkpoint_id?: string } }[] = (
      await ask("GET", `/api/runs/${run.id}/events?limit=100`, undefined, { accept: "application/json" })
    ).body.data;
    expect(events.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(events.map((_, i) => i + 1));
    expect(events.filter(({ type }) => type === "workflow.execution.restored").map(({ data }) => data.checkpoint_id)).toEqual([
      `${run.id}-k5`,
    ]);
    expect(events.filter(({ type }) => type === "workflow.step.started")).toHaveLength(8);
  });

  test("of a run that waits ends what it is at; nobody can answer what it asked", async () => {
    const pid = join(stack.project, "..", "pid");
    const run = await stack.start(
      workflow(
        "asking",
        `await ctx.shell("echo one >> all.txt", { name: "one" });
         await ctx.shell("echo two >> all.txt", { name: "two" });
         const [yes, slow] = await Promise.all([
           ctx.approve("sure", { message: "Sure?" }),
           ctx.shell("echo $$ > ${pid}; echo x >> all.txt; test -e ${pid}.quick || sleep 300", { name: "slow" }),
         ]);
         return { yes: yes.approved, all: await ctx.files.read("all.txt") };`,
      ),
    );
    await expect.poll(() => existsSync(pid), { timeout: 15_000 }).toBe(true);
    const before = await run.until(({ steps }) =>
      steps.some(({ step_id, status }) => step_id === "sure" && status === "waiting"),
    );
    const sure = before.steps.find(({ step_id }) => step_id === "sure");
    const process_id = Number(readFileSync(pid, "utf8"));
    writeFileSync(`${pid}.quick`, "");

    const reply = await restore(run, `${run.id}-k1`);

    expect(reply.body.data).toMatchObject({ resume_count: 1, steps: [{ step_id: "one" }] });
    await run.until(({ status }) => status === "waiting");
    expect(existsSync(`/proc/${process_id}`)).toBe(false);
    const late = await ask("POST", `/api/runs/${run.id}/approvals/${sure?.id}`, { answer: "approve" });
    expect(late).toMatchObject({ status: 409, body: { code: "superseded" } });
    expect((await ask("POST", `/api/runs/${run.id}/approvals/sure`, { answer: "approve" })).status).toBe(200);
    const row = await run.finished();
    expect(row).toMatchObject({ status: "completed", output: { yes: true, all: "one\ntwo\nx\n" } });
    const { steps }: RunRow = (await ask("GET", `/api/runs/${run.id}?superseded=true`)).body.data;
    expect(steps.filter(({ superseded }) => superseded)).toMatchObject([
      { step_id: "two", status: "completed" },
      { step_id: "sure", status: "cancelled" },
      { step_id: "slow", status: "cancelled" },
    ]);
  });

  test("of a completed run that was pushed replaces what it has pushed, and can be done again", async () => {
    const run = await stack.start(
      workflow(
        "pushing",
        `await ctx.git.ensureBranch("feature/pushed");
         for (const n of [1, 2, 3]) {
           await ctx.shell("date +%N > " + n + ".txt", { name: "write" });
           await ctx.git.commit("Number " + n);
         }
         await ctx.git.push();`,
      ),
    );
    await run.finished();
    const remote = () =>
      execFileSync("git", ["ls-remote", "origin", "refs/heads/feature/pushed"], { cwd: stack.project, encoding: "utf8" });
    const first = remote();

    await restore(run, `${run.id}-k3`);
    const second = await run.finished();
    expect(second).toMatchObject({ status: "completed", resume_count: 1 });
    expect(git(second, "log", "--format=%s", "-3").split("\n")).toEqual(["Number 3", "Number 2", "Number 1"]);
    expect(remote()).not.toBe(first);
    expect(remote()).toContain(git(second, "rev-parse", "HEAD"));

    const gone = await restore(run, `${run.id}-k5`);
    expect(gone).toMatchObject({ status: 409, body: { code: "superseded" } });
    await restore(run, second.steps.find(({ step_number }) => step_number === 11)?.id.replace(/-(\d+)$/, "-k$1") ?? "");
    const third = await run.finished();
    expect(third).toMatchObject({ status: "completed", resume_count: 2 });
    expect(third.steps.map(({ step_number }) => step_number)).toEqual([1, 2, 3, 9, 10, 11, 14, 15]);
  });

  test("of a plan does the rest of it again, also when the run has gone on in further executions and the worker is another", async () => {
    const outside = join(stack.project, "..", "plan-effects");
    const step = (n: number) => ({
      id: `s${n}`,
      name: `s${n}`,
      phase: "one",
      type: "script",
      command: `echo ${n} >> ${outside}; echo ${n} >> all.txt; cat all.txt`,
    });
    const run = await stack.start(JSON.stringify({ name: "looping", phases: ["one"], steps: [1, 2, 3, 4, 5].map(step) }), {
      ending: ".json",
      continue_after: 12,
    });
    const first = await run.finished();
    expect(first.status).toBe("completed");
    await stack.worker.stop();
    stack.worker = await stack.startWorker();

    await restore(run, `${run.id}-k3`);

    const row = await run.finished();
    expect(row.status).toBe("completed");
    expect(row.steps.map(({ output }) => (output as { stdout: string }).stdout)).toEqual(
      first.steps.map(({ output }) => (output as { stdout: string }).stdout),
    );
    expect(readFileSync(outside, "utf8").trim().split("\n").join("")).toBe("1234545");
    const from = (checkpoint: string) =>
      ask("POST", "/api/runs", { workflow: row.workflow_id, options: { resume_from_checkpoint: checkpoint } });
    expect((await from(`${run.id}-k4`)).status).toBe(400); // superseded
    const other = await from(`${run.id}-k6`);
    expect(other.status).toBe(201);
    const { id, parent_run_id }: RunRow = other.body.data;
    expect(parent_run_id).toBe(run.id);
    await expect.poll(async () => ((await ask("GET", `/api/runs/${id}`)).body.data as RunRow).status).toBe("completed");
    expect(readFileSync(outside, "utf8").trim().split("\n").join("")).toBe("12345455");
  });

  test("is what a reset in Temporal itself becomes: nothing is done but what follows its point", async () => {
    const outside = join(stack.project, "..", "reset-effects");
    const run = await stack.start(
      workflow(
        "reset",
        `for (const n of [1, 2, 3]) await ctx.shell("echo " + n + " >> ${outside}; echo " + n + " >> all.txt; cat all.txt", { name: "add" });
         await ctx.approve("sure", { message: "Sure?" });`,
      ),
    );
    const before = await run.until(({ status }) => status === "waiting");
    const execution = before.temporal.run_id ?? "";

    await stack.client.workflowService.resetWorkflowExecution({
      namespace: stack.config.temporalNamespace,
      workflowExecution: { workflowId: run.id, runId: execution },
      requestId: `reset-${run.id}`,
      reason: "once more",
      workflowTaskFinishEventId: await taskAfter(run.id, execution, "shell", 1),
    });

    await run.until(({ status, resume_count }) => resume_count === 1 && status === "waiting");
    await ask("POST", `/api/runs/${run.id}/approvals/sure`, { answer: "approve" });
    const row = await run.finished();
    expect(row).toMatchObject({ status: "completed", resume_count: 1 });
    expect(row.steps.map(({ step_number, output }) => [step_number, (output as { stdout?: string }).stdout])).toEqual([
      [1, "1\n"],
      [5, "1\n2\n"],
      [6, "1\n2\n3\n"],
      [7, undefined],
    ]);
    expect(readFileSync(outside, "utf8").trim().split("\n").join("")).toBe("12323");
  });

  test("leaves rows that are rebuilt as they were, from archives and from Temporal", async () => {
    const run = await stack.start(
      workflow(
        "rebuilt",
        `for (const n of [1, 2, 3]) await ctx.shell("echo " + n, { name: "say" }); await ctx.approve("sure", { message: "Sure?" });`,
      ),
    );
    await run.until(({ status }) => status === "waiting");
    await restore(run, `${run.id}-k2`);
    await run.until(({ status }) => status === "waiting");
    await stack.worker.stop();
    const rows = () =>
      stack.db.pool.query("select to_jsonb(s) - 'updated_at' as step from mirror.steps s order by id").then(({ rows }) => rows);
    const runs = () =>
      stack.db.pool
        .query("select id, status, resume_count, current_step_index, state, output, event_seq from mirror.runs order by id")
        .then(({ rows }) => rows);
    const corrected = await stack.db.pool.query("select from mirror.events where type = 'workflow.execution.corrected'");
    expect(corrected.rowCount).toBe(0);
    const before = [await runs(), await rows()];

    const replayer = new Replayer({ home: stack.config.home, log: pino({ level: "silent" }) });
    const { databaseUrl } = stack.config;
    const report = await rebuild({ db: stack.db, client: stack.client, databaseUrl, replayer, say: () => {} });
    replayer.stop();

    expect(report).toMatchObject({ lost: [], renumbered: [] });
    expect([await runs(), await rows()]).toEqual(before);
    stack.worker = await stack.startWorker();
    await ask("POST", `/api/runs/${run.id}/approvals/sure`, { answer: "approve" });
    expect(await run.finished()).toMatchObject({ status: "completed", resume_count: 1 });
  });
});

/** The end of the first workflow task after so many activities of a type had completed. */
async function taskAfter(workflowId: string, runId: string, type: string, count: number) {
  const { events } = await stack.client.workflow.getHandle(workflowId, runId).fetchHistory();
  const scheduled = (events ?? []).filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === type);
  const wanted = scheduled[count - 1]?.eventId;
  const done = (events ?? []).findIndex(
    (event) => String(event.activityTaskCompletedEventAttributes?.scheduledEventId) === String(wanted),
  );
  return (events ?? []).slice(done).find((event) => event.workflowTaskCompletedEventAttributes)?.eventId ?? null;
}

function restore(run: StartedRun, checkpoint_id: string): Promise<Reply> {
  return ask("POST", `/api/runs/${run.id}/restore`, { checkpoint_id } as Json);
}

function git({ project_id, id }: RunRow, ...args: string[]): string {
  return execFileSync("git", args, { cwd: join(stack.config.home, "worktrees", project_id, id), encoding: "utf8" }).trim();
}

function workflow(name: string, body: string): string {
  return `import { defineWorkflow } from "longhaul";
export default defineWorkflow({ name: "${name}", async execute(ctx) { ${body} } });
`;
}
