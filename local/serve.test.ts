import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { builtScript } from "../test/support/built-script.js";
import { temporalAddress, testDatabase, testFolder } from "../test/support/stack.js";
import { freePort } from "./ports.js";

let child: string;
let program: string;
beforeAll(async () => {
  child = await builtScript("test/support/idle-child.ts");
  program = await builtScript("test/support/serve-stand-ins.ts");
});

/** Runs the program as a terminal would, and collects what it says. */
function start(home: string, env: NodeJS.ProcessEnv) {
  const journal = join(home, "..", "journal");
  const server = spawn(process.execPath, [program, child, journal], { env: { ...process.env, ...env, LONGHAUL_HOME: home } });
  onTestFinished(() => void server.kill("SIGKILL"));
  const said = { out: "", err: "" };
  server.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString()));
  server.stderr.on("data", (chunk: Buffer) => (said.err += chunk.toString()));
  const code = new Promise<number | null>((resolve) => server.once("close", resolve));
  return { server, said, code, journal: () => (existsSync(journal) ? readFileSync(journal, "utf8") : "") };
}

test("it tells where it is, and one Ctrl-C, even heard twice, ends it in order", async () => {
  const home = join(testFolder(), "home");
  const port = String(await freePort());
  const database = await testDatabase();
  const env = { LONGHAUL_PORT: port, TEMPORAL_ADDRESS: await temporalAddress(), DATABASE_URL: database.url };
  const { server, said, code, journal } = start(home, env);
  await vi.waitFor(() => expect(said.out).toContain("Token"), 20_000);
  expect(said.out).toBe(`Longhaul  http://127.0.0.1:${port}\nData      ${home}\nToken     cat ${home}/token\n`);

  // The API was waited for, the worker was not.
  await vi.waitFor(() => expect(journal().match(/begin \d+/g)).toHaveLength(2), 20_000);
  server.kill("SIGINT");
  server.kill("SIGINT");
  expect(await code).toBe(0);
  expect(said.err).toBe("Stopping …\n");
  expect(journal().match(/end \d+ signal/g)).toHaveLength(2);
  expect(existsSync(join(home, "lock"))).toBe(false);
});

test("a setting that is wrong is named, and nothing is started", async () => {
  const home = join(testFolder(), "home");
  const { said, code } = start(home, { LONGHAUL_PORT: "eighty" });
  expect(await code).toBe(1);
  expect(said.err).toContain("LONGHAUL_PORT");
  expect(existsSync(home)).toBe(false);
});
