import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { TASK_QUEUE } from "../../config.js";
import { SIGNAL } from "../../contract/messages.js";
import { testFolder } from "../support/stack.js";
import { check, checkRun } from "./checker.js";
import { gather, type Promised } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { counterLines, leftoversBelow } from "./traces.js";

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start({ folder: testFolder() });
});
afterAll(() => harness?.stop());

const promised: Promised[] = [];

test("a client whose stream breaks with the API goes on after its last event, and misses and repeats none (F13)", async () => {
  const run = await harness.count("count-shell", 14);
  await vi.waitFor(() => expect(run.stream.seen.length).toBeGreaterThan(5), { timeout: 20_000, interval: 20 });
  const before = run.stream.connections();
  await harness.kill9("api");
  await run.stream.done;

  expect(run.stream.connections()).toBeGreaterThan(before);
  await expectSound(run);
});

test("an API that dies between Temporal's start and the row: the same key gives the same run, once (F14)", async () => {
  harness.order("api:started");
  const run = await harness.count("count-shell", 2);
  await harness.followed(1_000);
  await harness.client.finished(run.id);

  await expectSound(run);
  expect(counterLines(run.counter ?? "")).toEqual(["1", "2"]);
});

test("a run whose start was never answered appears by itself when the API died too early to write it down (F14)", async () => {
  const known = (await harness.client.all("/api/runs")).length;
  harness.order("api:started");
  const body = { workflow: "one-command", project_id: harness.project.id, input: { command: "echo unanswered" } };
  await expect(harness.client.ask("POST", "/api/runs", { body })).rejects.toThrow();

  await harness.client.insist("GET", "/readyz");
  await vi.waitFor(async () => expect(await harness.client.all("/api/runs")).toHaveLength(known + 1), {
    timeout: 20_000,
    interval: 200,
  });
  const [run] = (await harness.client.all("/api/runs")).slice(-1);
  await harness.client.finished(run.id);
  expect((await harness.client.all(`/api/runs/${run.id}/steps`)).map(({ output }) => output.stdout)).toEqual(["unanswered\n"]);
});

test("a hundred starts at once with one key are one run, and another body with that key is refused (F33)", async () => {
  const body = { workflow: "one-command", project_id: harness.project.id, input: { command: "echo one" } };
  const headers = { "idempotency-key": "one-of-a-hundred" };
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => harness.client.ask("POST", "/api/runs", { body, headers, timeoutMs: 60_000 })),
  );

  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
  const id: string = answers[0]?.body.data.id;
  await harness.client.finished(id);
  const runs = await harness.client.all("/api/runs");
  expect(runs.filter(({ input }) => input.command === "echo one")).toHaveLength(1);
  const other = { ...body, input: { command: "echo two" } };
  expect((await harness.client.ask("POST", "/api/runs", { body: other, headers })).status).toBe(422);
});

test("an API that dies during a slow upload leaves no half artifact, and the same file can be brought again (F15)", async () => {
  const run = await harness.count("count-shell", 2);
  await harness.client.finished(run.id);
  const bytes = randomBytes(400_000);
  const sending = slowUpload(run.id, bytes);
  await sleep(600);
  expect(uploadsOf(run)).toHaveLength(1);
  const pid = await harness.kill9("api");
  expect(await sending).toBe("broken");

  await vi.waitFor(() => expect(harness.stack.pids().api).not.toBe(pid), { timeout: 20_000, interval: 50 });
  await harness.client.insist("GET", `/api/runs/${run.id}`);
  expect(await harness.client.all(`/api/runs/${run.id}/artifacts`)).toEqual([]);
  await vi.waitFor(() => expect(uploadsOf(run)).toEqual([]), { timeout: 20_000, interval: 100 });

  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(bytes)]), "report.bin");
  const { body } = await harness.client.insist("POST", `/api/runs/${run.id}/artifacts`, { body: form });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  expect(body.data).toMatchObject({ name: "report.bin", size_bytes: 400_000, sha256, version: 1 });
  promised.push({ run_id: run.id, kind: "artifact", id: body.data.id, wanted: sha256 });
});

test("comments that were answered are there after API and worker have died (F2, F13)", async () => {
  const run = await harness.count("count-shell", 10);
  for (const text of ["first", "second", "third"]) {
    const { body } = await harness.client.insist("POST", `/api/runs/${run.id}/comments`, { body: { text } });
    promised.push({ run_id: run.id, kind: "comment", id: body.data.id, wanted: text });
    if (text === "second") await Promise.all([harness.kill9("api"), harness.kill9("worker")]);
  }
  await harness.client.finished(run.id);
  await run.stream.done;

  await expectSound(run);
});

test("what Longhaul did not sign starts nothing and signals nothing (F42)", async () => {
  const connection = await Connection.connect({ address: harness.stack.temporalAddress });
  try {
    const forger = new Client({ connection });
    const file = join(harness.folder, "counters", "forged");
    const forged = await forger.workflow.start("one-command", {
      workflowId: "forged",
      taskQueue: TASK_QUEUE,
      args: [{ run_id: "forged", workflow_name: "one-command", input: { command: `echo x >> ${file}` } }],
    });
    await expect(forged.result()).rejects.toMatchObject({ cause: { type: "unauthorised_start" } });
    const { events } = await forged.fetchHistory();
    expect(events?.some((event) => event.activityTaskScheduledEventAttributes)).toBe(false);
    expect((await harness.client.ask("GET", "/api/runs/forged")).status).toBe(404);

    const run = await harness.count("count-shell", 5);
    const at = new Date().toISOString();
    for (const signal of [SIGNAL.pause, SIGNAL.cancel, "no such signal"])
      await forger.workflow.getHandle(run.id).signal(signal, { id: "forged", at, by: null });
    await harness.client.finished(run.id);
    expect(counterLines(file)).toEqual([]);
    await expectSound(run);
  } finally {
    await connection.close();
  }
});

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", { timeout: 120_000 }, async () => {
  expect(check(await gather(harness, { promised, rebuilt: true }))).toEqual([]);
});

async function expectSound(run: WatchedRun): Promise<void> {
  const found = (await gather(harness, { promised, afterwards: false })).runs.find(({ run_id }) => run_id === run.id);
  expect(found && checkRun(found, harness.kills)).toEqual([]);
}

function uploadsOf(run: WatchedRun): string[] {
  return leftoversBelow(harness.project.path).filter((path) => path.includes(run.id) && path.includes(".upload-"));
}

/** Send a file at 100 kB/s; says how that ended. */
function slowUpload(runId: string, bytes: Buffer): Promise<"answered" | "broken"> {
  const boundary = "a-boundary";
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="report.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  return new Promise((resolve) => {
    const sending = request(`${harness.client.url}/api/runs/${runId}/artifacts`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${harness.client.token}`,
        "content-type": `multipart/form-data; boundary=${boundary}`,
      },
    });
    sending.once("response", () => resolve("answered"));
    sending.once("error", () => resolve("broken"));
    sending.write(head);
    let sent = 0;
    const piece = () => {
      if (sending.destroyed) return;
      if (sent >= bytes.length) return void sending.end(`\r\n--${boundary}--\r\n`);
      sending.write(bytes.subarray(sent, sent + 10_000));
      sent += 10_000;
      setTimeout(piece, 100);
    };
    piece();
  });
}
