import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LogChunk } from "../contract/log.js";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { appendLogChunks, countLogChunks, readLogChunk, readLogChunks, readStepText } from "./log-chunks.js";
import { applyFacts } from "./projection.js";

let db: Database;
let url: string;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, url, close } = await told.preparedDatabase());
  await applyFacts(db, "run_a", "e1", told.narration("run_a", "e1", [told.created("run_a")]));
});

afterAll(() => close());

test("output is kept in its order, and listeners hear of each piece", async () => {
  const listener = new pg.Client({ connectionString: url });
  await listener.connect();
  await listener.query("listen run_progress");
  const heard: string[] = [];
  listener.on("notification", ({ payload }) => heard.push(payload ?? ""));

  await appendLogChunks(db, [piece("one\n"), piece("two\n", { stream: "stderr" }), piece("three\n", { attempt: 2 })]);

  await expect.poll(() => heard).toHaveLength(3);
  const ids = heard.map((payload) => Number(payload.split(":")[1]));
  expect(heard.every((payload) => payload.startsWith("run_a:"))).toBe(true);
  expect((await Promise.all(ids.map((id) => readLogChunk(db, id)))).map((row) => row?.text)).toEqual([
    "one\n",
    "two\n",
    "three\n",
  ]);
  await listener.end();
});

test("a log is read by step, attempt, stream and level, page by page", async () => {
  await appendLogChunks(db, [piece("careful", { step_id: null, stream: "log", level: "warn" })]);
  const texts = async (query: Parameters<typeof readLogChunks>[2]) =>
    (await readLogChunks(db, "run_a", query)).map(({ text }) => text);
  const [first] = await readLogChunks(db, "run_a", { limit: 1 });

  expect(await texts({ stepId: "run_a-1", attempt: 1 })).toEqual(["one\n", "two\n"]);
  expect(await texts({ stream: "stderr" })).toEqual(["two\n"]);
  expect(await texts({ level: "warn" })).toEqual(["careful"]);
  expect(await texts({ after: first?.id ?? 0, limit: 2 })).toEqual(["two\n", "three\n"]);
  expect(await countLogChunks(db, "run_a", { level: "info" })).toBe(4);
});

test("a step's output is one text, cut at its beginning when it is long", async () => {
  expect(await readStepText(db, "run_a", "run_a-1", { attempt: 1 })).toEqual({ text: "one\ntwo\n", truncated: false });
  expect(await readStepText(db, "run_a", "run_a-1", { limit: 7 })).toEqual({ text: "\nthree\n", truncated: true });
  expect(await readStepText(db, "run_a", "run_a-9")).toEqual({ text: "", truncated: false });
});

test("what Postgres does not take, and output of unknown runs, does no harm", async () => {
  await appendLogChunks(db, [piece("a\u0000b\ud800", { attempt: 3 }), piece("lost", { run_id: "run_gone" })]);
  await appendLogChunks(db, []);

  expect(await readStepText(db, "run_a", "run_a-1", { attempt: 3 })).toEqual({ text: "a\uFFFDb\uFFFD", truncated: false });
});

function piece(text: string, changes: Partial<LogChunk> = {}): LogChunk {
  return {
    run_id: "run_a",
    step_id: "run_a-1",
    attempt: 1,
    stream: "stdout",
    level: "info",
    offset: 0,
    text,
    at: told.second(5),
    ...changes,
  };
}
