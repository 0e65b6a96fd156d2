import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LogChunk } from "../contract/log.js";
import { type Database, openDatabase } from "../db/database.js";
import { readLogChunks } from "../db/log-chunks.js";
import { applyAccepted } from "../db/projection.js";
import { runFolder } from "../db/run-folder.js";
import { testDatabase, testFolder } from "../test/support/stack.js";
import * as told from "../test/support/told-run.js";
import { createLogSink } from "./log-sink.js";

let db: Database;
let url: string;
let drop: () => Promise<void>;
const project = testFolder();
const RUN = "run_log";

beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  url = database.url;
  db = openDatabase(url);
  await told.prepare(db);
  await applyAccepted(db, told.accepted(RUN, told.created(RUN)));
}, 60_000);

afterAll(async () => {
  await db.close();
  await drop();
});

test("writes each chunk to the step's file", async () => {
  const sink = createLogSink(db);
  sink.append([chunk("a\n", 0), chunk("b\n", 2)], { project_path: project, path: "logs/001-build/events.jsonl" });
  await sink.flush();

  expect(fileLines()).toEqual([chunk("a\n", 0), chunk("b\n", 2)]);
});

test("holds what Postgres does not take, drops the oldest past a limit, and says so", async () => {
  const door = await openDoor(url);
  const behind = openDatabase(door.url);
  door.shut();
  const sink = createLogSink(behind, { maxChars: 1000, retryMs: 50 });
  sink.append([chunk("first\n", 0)]);
  await sink.flush(300);
  for (let i = 0; i < 1000; i++) sink.append([chunk("0123456789", 10 * i)]);
  door.open();
  await sink.flush();
  await behind.close();
  door.stop();

  const texts = (await readLogChunks(db, RUN)).filter(({ stepId }) => stepId === `${RUN}-1`).map(({ text }) => text);
  expect(texts.slice(2, 5)).toEqual(["first\n", expect.stringMatching(/^\n… 9,\d\d\d bytes left out …\n$/), "0123456789"]);
  expect(texts.length).toBeLessThan(110);
});

test("has once in Postgres what that took and could not answer", async () => {
  const door = await openDoor(url);
  const behind = openDatabase(door.url);
  const sink = createLogSink(behind, { retryMs: 50 });
  const other = { ...chunk("taken\n", 0), step_id: `${RUN}-2` };
  const textsOfOther = async () => (await readLogChunks(db, RUN, { stepId: `${RUN}-2` })).map(({ text }) => text);
  const holder = await db.pool.connect();
  await holder.query("begin; lock table mirror.log_chunks in exclusive mode");
  const before = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%log_chunks%'";
  sink.append([other]);
  await expect.poll(async () => (await db.pool.query(before)).rowCount).toBe(1);
  door.shut();
  await holder.query("commit");
  holder.release();
  await expect.poll(textsOfOther).toEqual(["taken\n"]);
  door.open();
  await sink.flush();
  await behind.close();
  door.stop();

  expect(await textsOfOther()).toEqual(["taken\n"]);
});

test("never fails, whatever the disk says", async () => {
  const warnings: string[] = [];
  const sink = createLogSink(db, { warn: (message) => warnings.push(message) });
  sink.append([chunk("a", 0)], { project_path: "/dev/null", path: "logs/001-build/events.jsonl" });
  await sink.flush();

  expect(warnings).toEqual([expect.stringContaining("events.jsonl")]);
});

function chunk(text: string, offset: number): LogChunk {
  return {
    run_id: RUN,
    step_id: `${RUN}-1`,
    attempt: 1,
    stream: "stdout",
    level: "info",
    offset,
    text,
    at: "2025-01-25T10:00:00.000Z",
  };
}

function fileLines(): unknown[] {
  const text = readFileSync(join(runFolder(project, RUN), "logs/001-build/events.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** A way to Postgres that can be shut. */
async function openDoor(target: string) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let shut = false;
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    if (shut) return void socket.destroy();
    const there = connect(Number(port), hostname).on("error", () => socket.destroy());
    sockets.add(there);
    socket.pipe(there).pipe(socket);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = new URL(target);
  address.host = `127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
  return {
    url: address.href,
    open() {
      shut = false;
    },
    shut() {
      shut = true;
      for (const socket of sockets) socket.destroy();
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
