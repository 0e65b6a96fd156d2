import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import type { Harness, WatchedRun } from "./harness.js";

/** Workflows that leave rows of every kind, by name. */
export const MIXED: Record<string, string> = {
  mixed: `import { setTimeout as sleep } from "node:timers/promises";
import { defineWorkflow } from "longhaul";
import { z } from "zod";
export const activities = {
  async measure(size: number): Promise<string> {
    console.log("measuring", size);
    await sleep(20);
    return "x".repeat(size);
  },
};
export default defineWorkflow({
  name: "mixed",
  phases: ["prepare", "work", "end"],
  input: z.object({ way: z.string() }),
  async execute(ctx) {
    const { way } = ctx.input;
    const { measure } = ctx.activities as unknown as typeof activities;
    ctx.set("way", way);
    ctx.log.info("goes the way of " + way);
    await ctx.shell("echo prepared; echo careful >&2", { name: "Prepare", phase: "prepare" });
    await ctx.comment("prepared", { way });
    if (way === "work") {
      await ctx.files.write("notes/" + ctx.runId + ".md", "# Notes\\n");
      await ctx.git.ensureBranch("work/" + ctx.runId);
      await ctx.git.commit("Notes");
      await ctx.parallel([
        () => ctx.shell("sleep 0.1; seq 1 50", { name: "left", phase: "work" }),
        () => measure(30),
        () => ctx.run("both", async () => {
          await ctx.shell("echo inside");
          await ctx.shell("echo inside again");
        }),
        () => ctx.sleep(150, { name: "nap" }),
      ]);
      await ctx.checkpoint("halfway");
      await ctx.shell("false", { if: false, name: "never" });
      const answer = await ctx.step("tolerated", { type: "script", command: "echo no >&2; exit 4", onFailure: "continue" });
      await ctx.artifact("report.md", { content: "# Report: " + answer.status, type: "document", metadata: { way } });
      await ctx.commentExecution("all done");
    }
    if (way === "retried")
      await ctx.shell('echo try $LONGHAUL_ATTEMPT; [ "$LONGHAUL_ATTEMPT" -ge 3 ]', { retry: { maxAttempts: 3, backoff: "fixed", initialDelayMs: 50 } });
    if (way === "failing") {
      await ctx.checkpoint("before it fails");
      await ctx.shell("seq 1 100; echo no such target >&2; exit 3", { retry: { maxAttempts: 2, backoff: "fixed", initialDelayMs: 50 } });
    }
    if (way === "throwing") throw new TypeError("no such thing");
    if (way === "slow step") await ctx.shell("echo begins; sleep 60", { timeout: 400 });
    if (way === "silent step") await ctx.shell("echo begins; sleep 60", { idleTimeout: 400 });
    if (way === "large") {
      await ctx.shell("head -c 3000000 /dev/zero | tr '\\\\0' x; echo; seq 1 20000");
      const big = await measure(200_000);
      ctx.log.warn("measured " + (typeof big));
    }
    if (way === "agent") {
      const first = await ctx.agent("write", { permission: "bypassPermissions", prompt: "[[write made.txt hello]] [[say It is written.]]" });
      await ctx.agent("go on", { ask: false, session: first.sessionId, prompt: "[[shell npm run deploy]] [[say I could not.]]" });
    }
    if (way === "asked") {
      const { fields } = await ctx.approve("go", { message: "Go?", fields: z.object({ ticket: z.string() }), phase: "work" });
      const { url } = await ctx.waitForEvent<{ url: string }>("deployed");
      const late = await ctx.approve("late", { message: "Still?", deadline: 300, default: "reject" });
      const child = await ctx.child("mixed", { way: "retried" }, { key: "again", workspace: "parent" });
      const failed = await ctx.child("mixed", { way: "failing" }, { retry: { maxAttempts: 2, initialDelayMs: 20 } }).catch((error) => error.type);
      await ctx.comment(JSON.stringify([fields, url, late.approved, child, failed]));
    }
    if (way === "long") for (let n = 1; n <= 6; n++) await ctx.shell("echo " + n + "; sleep 0.4", { name: "part " + n, phase: "work" });
    await ctx.shell("echo ended", { phase: "end" });
    return { way };
  },
});
`,
  limited: `import { defineWorkflow } from "longhaul";
export default defineWorkflow({
  name: "limited",
  timeout: 1_500,
  async execute(ctx) {
    await ctx.shell("echo begins", { name: "first" });
    await ctx.shell("echo goes on; sleep 60", { name: "too long" });
  },
});
`,
};

/** What befalls a run, and what it must be at its end. */
const WAYS = [
  ["work", "completed"],
  ["retried", "completed"],
  ["failing", "failed"],
  ["throwing", "failed"],
  ["slow step", "failed"],
  ["silent step", "failed"],
  ["large", "completed"],
  ["agent", "completed"],
  ["too long", "timed_out"],
  ["cancelled", "cancelled"],
  ["paused", "completed"],
  ["talked to", "completed"],
  ["terminated", "cancelled"],
  ["its worker killed", "completed"],
  ["asked", "completed"],
] as const;

export interface MixedRun {
  run: WatchedRun;
  way: string;
  wanted: string;
}

/** Start the run that is the nth, and do to it what its way asks for. Returns when that is done, not when the run is over. */
export async function startMixed(harness: Harness, n: number): Promise<MixedRun> {
  const [way, wanted] = WAYS[n % WAYS.length] ?? WAYS[0];
  const counted = { counter: null, steps: 0 };
  const run =
    way === "too long"
      ? await harness.begin("limited", {}, counted)
      : await harness.begin("mixed", { way: LONG.has(way) ? "long" : way }, counted);
  const tell = (what: string, body: unknown = {}) => harness.client.insist("POST", `/api/runs/${run.id}/${what}`, { body });
  if (way === "asked") {
    await tell("events/deployed", { url: "https://stage.example" });
    await told(run, ({ type }) => type === "workflow.approval.requested");
    await tell("approvals/go", { answer: "approve", reason: "it is time", fields: { ticket: "T-1" } });
  }
  if (!LONG.has(way)) return { run, way, wanted };

  await told(run, ({ type }) => type === "workflow.step.completed", 2);
  if (way === "cancelled") await tell("cancel", { reason: "no longer wanted" });
  if (way === "terminated") await terminate(harness, run.id);
  if (way === "its worker killed") await harness.kill9("worker");
  if (way === "paused") {
    await tell("pause");
    await tell("comments", { text: "while it rests" });
    await sleep(1_000);
    await tell("resume");
  }
  if (way === "talked to") {
    await tell("comments", { text: "while it runs" });
    await tell("artifacts", file("notes.txt", "a file from outside"));
    await tell("artifacts", file("notes.txt", "its second version"));
    await harness.client.finished(run.id);
    await tell("comments", { text: "when it was over" });
    await tell("artifacts", file("late.txt", "a late file"));
  }
  return { run, way, wanted };
}

/** Ways in which something is done to a run from outside, so that it has to take a while. */
const LONG: ReadonlySet<string> = new Set(["cancelled", "paused", "talked to", "terminated", "its worker killed"]);

/** Waits until the run's stream has told so many of these. */
async function told({ id, stream }: WatchedRun, what: (event: { type: string }) => boolean, times = 1): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(20)) if (stream.seen.filter(what).length >= times) return;
  throw new Error(`The run ${id} has not come so far within a minute.`);
}

async function terminate(harness: Harness, runId: string): Promise<void> {
  const connection = await Connection.connect({ address: harness.stack.temporalAddress });
  await new Client({ connection }).workflow
    .getHandle(runId)
    .terminate("from outside")
    .finally(() => connection.close());
}

function file(name: string, text: string): FormData {
  const form = new FormData();
  form.append("file", new Blob([text]), name);
  return form;
}
