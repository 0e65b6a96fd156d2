import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Longhaul, longhaul, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

describe("a run of code whose history becomes long", { timeout: 180_000 }, () => {
  test("goes on in further executions as if nothing had been, with what waits", async () => {
    const done = join(stack.project, "..", "done");
    writeFileSync(join(stack.project, "count.txt"), "none");
    const run = await stack.start(
      workflow(
        `const began = Date.now(); const dice = Math.random(); const id = uuid4();
         const told = await ctx.shell(\`echo \${began} \${dice} \${id}\`, { name: "tell" });
         ctx.set("n", 0);
         const before = await ctx.files.read("count.txt");
         const missing = await ctx.files.read("missing").catch((error) => error.type);
         const sure = ctx.approve("sure", { message: "Sure?" });
         const late = ctx.approve("late", { message: "Late?", deadline: "3 seconds", default: "reject" });
         const word = ctx.waitForEvent("word");
         const nap = ctx.sleep("3 seconds");
         const rest = [];
         for (let n = 1; n <= 9; n++) {
           const [a, b] = await ctx.parallel([
             () => ctx.shell(\`echo \${n} >> ${done}; echo \${n} | tee count.txt\`, { name: "do" }),
             () => ctx.run("count", () => { ctx.set("n", ctx.get("n") + 1); return n; }),
           ]);
           if (n % 4 === 0) {
             ctx.log(\`at \${n}\`);
             await ctx.comment(\`at \${n}\`);
             await ctx.checkpoint();
             await ctx.step("never", { type: "script", command: "true", if: false });
             await ctx.step("borne", { type: "script", command: "exit 3", onFailure: "continue" });
           }
           rest.push(a.stdout.trim() + b);
         }
         const after = await ctx.files.read("count.txt");
         const passed = Date.now() - began;
         await nap;
         const approved = [(await sure).approved, (await late).approved];
         const same = told.stdout === \`\${began} \${dice} \${id}\\n\`;
         return { rest, same, passed, before, missing, after, approved, word: (await word).is, n: ctx.get("n") };`,
      ),
      { continue_after: 40, in_place: true },
    );
    await run.until(({ steps, status }) => steps.length === 27 && status === "waiting", 150_000);
    expect((await ask("POST", `/api/runs/${run.id}/events/word`, { is: "now" })).status).toBe(202);
    expect((await ask("POST", `/api/runs/${run.id}/approvals/sure`, { answer: "approve" })).status).toBe(200);
    const row = await run.finished();

    const all = Array.from({ length: 9 }, (_, i) => String(i + 1));
    expect(row.output).toEqual({
      rest: all.map((n) => n + n),
      same: true,
      passed: expect.any(Number),
      before: "none",
      missing: "file_missing",
      after: "9\n",
      approved: [true, false],
      word: "now",
      n: 9,
    });
    expect(await executionsOf(run)).toBeGreaterThan(2);
    expect(readFileSync(done, "utf8").trim().split("\n")).toEqual(all);
    expect(row.steps.map(({ step_number }) => step_number)).toEqual(row.steps.map((_, i) => i + 1));
    const late = row.steps.find(({ step_id }) => step_id === "late");
    const [from, to] = [Date.parse(late?.started_at ?? ""), Date.parse(late?.completed_at ?? "")];
    expect(to - from).toBeGreaterThanOrEqual(2_900);
    expect(to - from).toBeLessThan(60_000); // it waited to its own deadline, not from the last execution on
    const events = await eventsOf(run);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    for (const type of ["workflow.step.started", "workflow.step.completed", "workflow.step.failed", "workflow.step.waiting"]) {
      const ids = events.filter((event) => event.type === type).map(({ data }) => data.step_id);
      expect(ids, type).toEqual([...new Set(ids)]);
    }
    expect(events.filter(({ type }) => type === "workflow.execution.corrected")).toEqual([]);
    const comments = await listOf<{ text: string }>(run, "comments");
    expect(comments.map(({ text }) => text).sort()).toEqual(["at 4", "at 8"]);
    const checkpoints = await listOf<{ created_by: string }>(run, "checkpoints");
    expect(checkpoints.filter(({ created_by }) => created_by === "user")).toHaveLength(2);
    expect(JSON.stringify(await listOf(run, "logs")).match(/"at \d+\\?n?"/g)).toHaveLength(2);
  });

  test("of what it is told while it waits loses nothing that was accepted", async () => {
    const run = await stack.start(
      workflow(
        `await ctx.approve("go", { message: "Go?" });
         let sum = 0;
         for (;;) {
           const { n, last } = await ctx.waitForEvent("more");
           if (last) return sum;
           sum += n;
         }`,
      ),
      { continue_after: 30 },
    );
    await run.until(({ status }) => status === "waiting");
    const send = async (payload: { n: number; last?: boolean }) =>
      (await ask("POST", `/api/runs/${run.id}/events/more`, payload)).status;
    let sum = 0;
    for (let n = 1; n <= 60; n++) {
      const status = await send({ n });
      expect([202, 429]).toContain(status);
      if (status === 202) sum += n;
    }
    await expect.poll(() => executionsOf(run), { timeout: 20_000 }).toBeGreaterThan(1);
    const approve = async () => (await ask("POST", `/api/runs/${run.id}/approvals/go`, { answer: "approve" })).status;
    await expect.poll(approve, { timeout: 60_000, interval: 1_000 }).toBe(200); // 503 while it reads what it was sent
    await expect.poll(() => send({ n: 0, last: true }), { timeout: 60_000, interval: 1_000 }).toBe(202);

    expect((await run.finished()).output).toBe(sum);
  });

  test("stays where it is when it uses what no further execution can know of, and says so", async () => {
    const run = await stack.start(
      workflow(`await sleep(1); for (let n = 0; n < 12; n++) await ctx.shell("true", { name: "do" }); return "done";`),
      { continue_after: 30, in_place: true },
    );

    expect(await run.finished()).toMatchObject({ status: "completed", output: "done" });
    expect(await executionsOf(run)).toBe(1);
    expect(JSON.stringify(await listOf(run, "logs"))).toMatch(/its code uses sleep of Temporal directly/);
  });
});

interface Told {
  seq: number;
  type: string;
  data: { step_id?: string };
}

async function eventsOf({ id }: StartedRun): Promise<Told[]> {
  const { rows } = await stack.db.pool.query<Told>("select seq, type, data from mirror.events where run_id = $1 order by seq", [
    id,
  ]);
  return rows;
}

async function listOf<Row>({ id }: StartedRun, what: string): Promise<Row[]> {
  const { data }: { data: unknown } = (await ask("GET", `/api/runs/${id}/${what}?limit=100`)).body;
  return data as Row[]; // as its contract says
}

async function executionsOf({ id }: StartedRun): Promise<number> {
  const { rows } = await stack.db.pool.query("select 1 from mirror.executions where run_id = $1", [id]);
  return rows.length;
}

let files = 0;

function workflow(body: string): string {
  return `import { sleep, uuid4 } from "@temporalio/workflow";
import { defineWorkflow } from "longhaul";
export default defineWorkflow({ name: "long-${++files}", async execute(ctx) { ${body} } });
void [sleep, uuid4];
`;
}
