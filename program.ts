import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { builtFile } from "./package-root.js";

/** The processes that are started from one file each, made by the build of the module that is named here and all it imports. */
export const PROGRAMS = {
  worker: "local/worker-process.js",
  api: "local/api-process.js",
  load: "worker/load-child.js",
  plan: "worker/plan-child.js",
  replay: "worker/replay-child.js",
  cli: "cli/longhaul.js",
} as const;
export type ProgramName = keyof typeof PROGRAMS;

/** What Node is told when it starts a program. V8 takes no cache that was made under other flags. */
const FLAGS: Partial<Record<ProgramName, readonly string[]>> = {
  load: ["--max-old-space-size=512"],
  plan: ["--max-old-space-size=512"],
};

export function flagsOf(name: ProgramName): string[] {
  return [...(FLAGS[name] ?? [])];
}

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
  const importLate = (path: string) => import(new URL(path, pathToFileURL(code)).href);
  script.runInThisContext()(module.exports, createRequire(code), module, code, dirname(code), importLate);
  return { program: module.exports, script };
}

/** Keep what V8 makes of a program when it is evaluated, in a process with its flags. */
export function writeCache(name: ProgramName): void {
  const make = `import { writeFileSync } from "node:fs";
    import { filesOf, loadProgram } from ${JSON.stringify(pathToFileURL(builtFile("program.js")).href)};
    writeFileSync(filesOf("${name}").cache, loadProgram("${name}").script.createCachedData());
    process.exit();`;
  execFileSync(process.execPath, [...flagsOf(name), "--input-type=module", "--eval", make], { stdio: "inherit" });
}

/** Where a program lies: its code, a function of what Node gives to a CommonJS module and of an import, and V8's cache of it. */
export function filesOf(name: ProgramName): { code: string; cache: string } {
  const code = builtFile(`programs/${name}.cjs`);
  return { code, cache: `${code}.cache` };
}
