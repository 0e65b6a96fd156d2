import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { builtScript } from "../test/support/built-script.js";
import { testFolder } from "../test/support/stack.js";
import { markOf } from "./process-mark.js";
import { supervise } from "./processes.js";

let script: string;
beforeAll(async () => {
  script = await builtScript("test/support/idle-child.ts");
});

function start(kind: string) {
  const folder = testFolder();
  const journal = join(folder, "journal");
  const said: string[] = [];
  const logFile = join(folder, "child.log");
  const child = supervise({ name: "worker", script, args: [kind, journal], env: process.env, logFile, graceMs: 1_000 }, (line) =>
    said.push(line),
  );
  const lines = () => (existsSync(journal) ? readFileSync(journal, "utf8").trim().split("\n") : []);
  return { child, lines, said, logFile, begins: () => lines().filter((line) => line.startsWith("begin")).length };
}

test("a child that was killed is started again, and one that is stopped is not", async () => {
  const { child, lines, said, begins } = start("worker");
  await vi.waitFor(() => expect(begins()).toBe(1), 10_000);
  process.kill(child.pid() ?? 0, "SIGKILL");
  await vi.waitFor(() => expect(begins()).toBe(2), 10_000);
  expect(said[0]).toMatch(/The worker ended \(SIGKILL\) and is started again in 0.5 s/);

  const last = child.pid() ?? 0;
  await child.stop();
  expect(markOf(last)).toBeUndefined();
  expect(lines().at(-1)).toBe(`end ${last} signal`);
  expect(begins()).toBe(2);
});

test("a child that falls over and over is given more time, and its last words are kept", async () => {
  const { child, said, logFile } = start("broken");
  await vi.waitFor(() => expect(child.falls()).toBe(3), 15_000);
  await child.stop();
  expect(said.map((line) => /in ([\d.]+) s/.exec(line)?.[1])).toEqual(["0.5", "1", "2"]);
  expect(child.lastLines()).toContain("no way to work here");
  expect(readFileSync(logFile, "utf8")).toContain("no way to work here");
});

test("a child that does not heed SIGTERM is killed after the grace period", async () => {
  const { child, begins } = start("deaf");
  await vi.waitFor(() => expect(begins()).toBe(1), 10_000);
  const pid = child.pid() ?? 0;
  await child.stop();
  expect(markOf(pid)).toBeUndefined();
});

test("a child whose supervisor is killed ends by itself", async () => {
  const folder = testFolder();
  const journal = join(folder, "journal");
  const parent = join(folder, "parent.mjs");
  writeFileSync(
    parent,
    `import { spawn } from "node:child_process";
spawn(process.execPath, [${JSON.stringify(script)}, "worker", ${JSON.stringify(journal)}], { detached: true, stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, LONGHAUL_SUPERVISED: "1" } });
setInterval(() => {}, 1000);`,
  );
  const supervisor = spawn(process.execPath, [parent]);
  await vi.waitFor(() => expect(existsSync(journal)).toBe(true), 10_000);
  supervisor.kill("SIGKILL");
  await vi.waitFor(() => expect(readFileSync(journal, "utf8")).toMatch(/end \d+ parent gone/), 10_000);
});
