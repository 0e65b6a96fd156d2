import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { type Config, readConfig } from "../config.js";
import { builtScript } from "../test/support/built-script.js";
import { temporalAddress, testDatabase, testFolder } from "../test/support/stack.js";
import { freePort } from "./ports.js";
import { folderOutside, postgresAccount } from "./postgres-account.js";
import { markOf } from "./process-mark.js";
import { type Stack, startStack } from "./stack.js";
import { resolveTemporal } from "./temporal.js";

let child: string;
let supervisor: string;
let binary: string;
beforeAll(async () => {
  child = await builtScript("test/support/idle-child.ts");
  supervisor = await builtScript("test/support/supervisor.ts");
  await temporalAddress();
  const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "longhaul");
  binary = await resolveTemporal({ setting: process.env.LONGHAUL_TEMPORAL_BIN, cacheFolder });
});

const homes: string[] = [];
afterAll(() => {
  const account = postgresAccount();
  for (const home of homes.splice(0)) {
    const data = join(home, "postgres");
    if (account && existsSync(data)) rmSync(folderOutside(account, data), { recursive: true, force: true });
  }
});

async function settings(more: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv & { LONGHAUL_HOME: string }> {
  const home = join(testFolder(), "home");
  homes.push(home);
  const ports = { LONGHAUL_PORT: String(await freePort()), LONGHAUL_TEMPORAL_UI_PORT: String(await freePort()) };
  return { LONGHAUL_TEMPORAL_BIN: binary, ...ports, ...more, LONGHAUL_HOME: home };
}

function standIns(home: string) {
  const journal = join(home, "..", "journal");
  return {
    journal: () => readFileSync(journal, "utf8"),
    options: { worker: { script: child, args: ["worker", journal] }, api: { script: child, args: ["api", journal] } },
  };
}

async function start(config: Config, options: Parameters<typeof startStack>[1]): Promise<Stack> {
  const stack = await startStack(config, options);
  onTestFinished(() => stack.stop());
  return stack;
}

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

test("all comes up, stops with nothing left, and a second start finds the data of the first", async () => {
  const config = readConfig(await settings());
  const { options, journal } = standIns(config.home);
  const first = await start(config, options);
  const pids = Object.values(first.pids());
  expect(pids.every((pid) => pid && markOf(pid))).toBe(true);
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
  expect((await fetch(first.temporalUiUrl ?? "")).status).toBe(200);
  await ask(first.databaseUrl, "create table kept as select 7 as n");
  await expect(startStack(config, options)).rejects.toThrow(`already (pid ${process.pid})`);
  await vi.waitFor(() => expect(journal().match(/begin \d+/g)).toHaveLength(2), 20_000);
  await first.stop();
  expect(pids.filter((pid) => pid && markOf(pid))).toEqual([]);
  expect(journal()).toContain(`{"token":"${first.token}","temporal":"${first.temporalAddress}"}`);
  expect(journal()).toContain('{"token":null');

  const second = await start(config, options);
  expect(second.token).toBe(first.token);
  expect(await ask(second.databaseUrl, "select n from kept")).toBe(7);
});

test("Temporal, Postgres, worker and API that are killed come back, the servers on their old addresses", async () => {
  const config = readConfig(await settings());
  const stack = await start(config, standIns(config.home).options);
  const before = stack.pids();
  for (const pid of Object.values(before)) process.kill(pid ?? 0, "SIGKILL");
  await vi.waitFor(async () => expect(await ask(stack.databaseUrl, "select 1")).toBe(1), { timeout: 30_000, interval: 200 });
  await vi.waitFor(() => {
    const now = stack.pids();
    expect(now.temporal).not.toBe(before.temporal);
    expect(now.worker).not.toBe(before.worker);
    expect(now.worker).toBeDefined();
  }, 30_000);
  await vi.waitFor(async () => expect((await fetch(`${stack.url}/readyz`)).status).toBe(200), { timeout: 30_000, interval: 200 });
});

test("after kill -9 of the supervisor worker and API end by themselves, and the next start ends the servers", async () => {
  const env = await settings();
  const config = readConfig(env);
  const { options, journal } = standIns(config.home);
  const process9 = spawn(process.execPath, [supervisor, child, join(config.home, "..", "journal")], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const told = await new Promise<string>((resolve) => process9.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString())));
  const pids: Record<string, number> = JSON.parse(told);
  process9.kill("SIGKILL");
  await vi.waitFor(() => expect(journal().match(/end \d+ parent gone/g)).toHaveLength(2), 15_000);
  expect(markOf(pids.temporal ?? 0)).toBeDefined();

  const said: string[] = [];
  const next = await start(config, { ...options, log: (line) => said.push(line) });
  for (const pid of Object.values(pids)) expect(markOf(pid)).toBeUndefined();
  expect(next.pids().temporal).not.toBe(pids.temporal);
  expect(said.join("\n")).toMatch(/Postgres server of an earlier start/);
});

test("a taken port is named with its setting before anything is started", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const address = other.address();
  const port = typeof address === "object" ? String(address?.port) : "";
  const env = await settings({ LONGHAUL_PORT: port });
  const config = readConfig(env);
  await expect(startStack(config, standIns(config.home).options)).rejects.toThrow(`Port ${port} on 127.0.0.1 is taken`);
  expect(existsSync(join(config.home, "lock"))).toBe(false);
});

test("a worker that cannot live ends the start with its last words, and nothing stays", async () => {
  const config = readConfig(
    await settings({ TEMPORAL_ADDRESS: await temporalAddress(), DATABASE_URL: (await testDatabase()).url }),
  );
  const { options } = standIns(config.home);
  const broken = { script: child, args: ["broken"] };
  await expect(startStack(config, { ...options, worker: broken, api: { script: child, args: ["worker"] } })).rejects.toThrow(
    /The worker does not start. It said:\n.*no way to work here/,
  );
  expect(existsSync(join(config.home, "lock"))).toBe(false);
});

test("servers that are named are used, and ours are not started", async () => {
  const database = await testDatabase();
  const config = readConfig(await settings({ TEMPORAL_ADDRESS: await temporalAddress(), DATABASE_URL: database.url }));
  const stack = await start(config, standIns(config.home).options);
  expect(stack).toMatchObject({ temporalAddress: await temporalAddress(), databaseUrl: database.url, temporalUiUrl: null });
  expect(stack.pids()).toMatchObject({ temporal: undefined, postgres: undefined });
  expect(existsSync(join(config.home, "postgres"))).toBe(false);
});

test("a database that is not there is named by its setting", async () => {
  const config = readConfig(await settings({ TEMPORAL_ADDRESS: "127.0.0.1:9", DATABASE_URL: "postgres://a:b@127.0.0.1:9/c" }));
  await expect(startStack(config, standIns(config.home).options)).rejects.toThrow(/DATABASE_URL cannot be used: .*ECONNREFUSED/);
});
