import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { linesRun } from "./spawned.js";

const SOURCE = `export function sign(n: number): string {
  if (n < 0) {
    return "below";
  }
  return "above";
}

export function never(): void {
  console.log("never");
}

if (sign(Number(process.argv[2])) === "above") console.log("yes");
`;

test("a process tells the lines of the source it came by, and no others", async () => {
  const { root, run } = await program();

  run("1");

  expect(linesOf(root)).toEqual([2, 5, 12]);
});

test("what one process leaves out another may come by", async () => {
  const { root, run } = await program();

  run("1");
  run("-1");

  expect(linesOf(root)).toEqual([2, 3, 5, 12]);
});

test("a process that was ended while it wrote counts as broken, and stops nothing", async () => {
  const { root, run } = await program();
  run("1");
  writeFileSync(join(root, "counts", "coverage-half.json"), '{"result":[{"scri');

  expect(linesRun(join(root, "counts"), root).broken).toBe(1);
  expect(linesOf(root)).toEqual([2, 5, 12]);
});

/** The lines where a statement begins that were come by. */
function linesOf(root: string): number[] {
  const statements = [2, 3, 5, 9, 12];
  const found = linesRun(join(root, "counts"), root).lines.get(join(root, "sign.ts"));
  return statements.filter((line) => found?.has(line));
}

async function program() {
  const root = testFolder();
  const built = join(root, "dist", "sign.mjs");
  mkdirSync(join(root, "dist"));
  writeFileSync(join(root, "sign.ts"), SOURCE);
  await build({ entryPoints: [join(root, "sign.ts")], outfile: built, format: "esm", sourcemap: true });
  expect(readFileSync(built, "utf8")).toContain("sourceMappingURL");
  const env = { ...process.env, NODE_V8_COVERAGE: join(root, "counts") };
  return { root, run: (n: string) => void spawnSync(process.execPath, [built, n], { env }) };
}
