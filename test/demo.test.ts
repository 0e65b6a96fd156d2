import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { builtFile } from "../package-root.js";
import { testFolder } from "./support/stack.js";

test("the demo builds a feature from specification to pull request, and leaves nothing behind", {
  timeout: 180_000,
}, async () => {
  const temporary = testFolder();
  const { code, output } = await demo([], temporary);

  expect(output).toContain("✔ create-pr");
  expect(output).toMatch(/# fail 3[\s\S]*✔ fix[\s\S]*# fail 0/);
  expect(output).toMatch(/Delivered in .* s\n {2}branch {8}feature\/slugs-for-titles\n {2}commit {8}[0-9a-f]{40} \(pushed\)/);
  expect(output).toMatch(/pull request {2}http:\/\/127\.0\.0\.1:\d+\/demo\/slugs\/pull\/1\n {2}tests {9}pass/);
  expect(code).toBe(0);
  expect(readdirSync(temporary)).toEqual([]);
});

test("the demo stops and cleans up when it is told to", { timeout: 180_000 }, async () => {
  const temporary = testFolder();
  const { code, output } = await demo([], temporary, (text, stop) => text.includes("▶ implement") && stop());

  expect(output).not.toContain("Delivered");
  expect(output).toContain("given up");
  expect(code).toBe(1);
  expect(readdirSync(temporary)).toEqual([]);
});

test("the demo with the real model says which credentials it lacks", async () => {
  const { code, output } = await demo(["--live"], testFolder());

  expect(code).toBe(1);
  expect(output).toContain("--live needs credentials for Claude: set one of ANTHROPIC_API_KEY");
});

/** Run it as `npm run demo` does, in its own temporary folder and without credentials. */
function demo(args: string[], temporary: string, watch?: (text: string, stop: () => void) => void) {
  const { ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, CLAUDE_CODE_OAUTH_TOKEN, ...env } = process.env;
  const child = spawn(process.execPath, [builtFile("local/demo.js"), ...args], { env: { ...env, TMPDIR: temporary } });
  let output = "";
  let stopped = false;
  const stop = () => {
    if (!stopped) child.kill("SIGINT");
    stopped = true;
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      watch?.(output, stop);
    });
  }
  return new Promise<{ code: number | null; output: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, output })),
  );
}
