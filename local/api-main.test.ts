import { type ChildProcess, spawn } from "node:child_process";
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { builtScript } from "../test/support/built-script.js";
import { temporalAddress, testDatabase, testFolder } from "../test/support/stack.js";
import { freePort } from "./ports.js";

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

test("serves with a token of its own making, and ends when its supervisor is gone", async () => {
  const [home, port, database] = [testFolder(), await freePort(), await testDatabase()];
  const child = spawn(process.execPath, [await builtScript("local/api-main.ts")], {
    stdio: ["pipe", "ignore", "inherit"],
    env: {
      PATH: process.env.PATH,
      LONGHAUL_SUPERVISED: "1",
      LONGHAUL_HOME: home,
      LONGHAUL_PORT: String(port),
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: await temporalAddress(),
    },
  });
  children.push(child);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const url = `http://127.0.0.1:${port}`;
  await expect
    .poll(
      () =>
        fetch(`${url}/healthz`).then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 20_000 },
    )
    .toBe(200);

  const file = join(home, "token");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const Authorization = `Bearer ${(await readFile(file, "utf8")).trim()}`;
  expect((await fetch(`${url}/api/stats`, { headers: { Authorization } })).status).toBe(200);
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ errors: [{ path: "worker" }] });
  const stream = await fetch(`${url}/api/events`, { headers: { Authorization } });

  child.stdin?.end();
  expect(await ended).toBe(0);
  await stream.body?.cancel();
  await database.drop();
});
