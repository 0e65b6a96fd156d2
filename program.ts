import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";
import { builtFile } from "./package-root.js";

/** The processes that are started from one file each, made by the build of the module that is named here and all it imports. */
export const PROGRAMS = {
  worker: "local/worker-process.js",
  api: "local/api-process.js",
  load: "worker/load-child.js",
  replay: "worker/replay-child.js",
} as const;
export type ProgramName = keyof typeof PROGRAMS;

interface Program {
  main(): Promise<void>;
}

/**
 * Run a program to its end and end this process: with exit code 1 and the error printed when it throws.
 *
 * Loading its thousand modules one by one takes most of a start; they lie in one file, beside it what V8 made of it.
 */
export async function runProgram(name: ProgramName): Promise<never> {
  try {
    await loadProgram(name).program.main();
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    process.exit(1);
  }
}

/** Evaluate a program without running it. @throws {Error} when it was not built. */
export function loadProgram(name: ProgramName): { program: Program; script: Script } {
  const { code, cache } = filesOf(name);
  if (!existsSync(code)) throw new Error(`${code} is missing. Run \`npm run build\` first.`);
  // What comes from the cache is not counted exactly when V8 counts the lines that ran.
  const cached = !process.env.NODE_V8_COVERAGE && existsSync(cache) ? readFileSync(cache) : undefined;
  const script = new Script(readFileSync(code, "utf8"), {
    filename: code,
    // Made by another version of Node it is not taken, and the code is compiled as always.
    ...(cached ? { cachedData: cached } : {}),
  });
  const module = { exports: {} as Program };
  script.runInThisContext()(module.exports, createRequire(code), module, code, dirname(code));
  return { program: module.exports, script };
}

/** Where a program lies: its code, a function of what Node gives to a CommonJS module, and V8's cache of it. */
export function filesOf(name: ProgramName): { code: string; cache: string } {
  const code = builtFile(`programs/${name}.cjs`);
  return { code, cache: `${code}.cache` };
}
