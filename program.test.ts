import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { builtFile } from "./package-root.js";
import { flagsOf, PROGRAMS, type ProgramName } from "./program.js";

const names = Object.keys(PROGRAMS) as ProgramName[];

test.each(names)("the program %s is loaded with what V8 kept of it at the build", (name) => {
  expect(loaded(name, { ...process.env, NODE_V8_COVERAGE: "" })).toBe("false"); // left out, Node would hand down ours
});

test.each(names)("the program %s is compiled anew where V8 counts lines", (name) => {
  expect(loaded(name, { ...process.env, NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE ?? "/dev/null" })).toBe("undefined");
});

/** Load it, and do not run it. @returns whether V8 has refused its cache; `undefined` when it got none */
function loaded(name: ProgramName, env: NodeJS.ProcessEnv): string {
  const load = `import { loadProgram } from ${JSON.stringify(pathToFileURL(builtFile("program.js")).href)};
    console.log(String(loadProgram("${name}").script.cachedDataRejected));
    process.exit();`;
  const { stdout, stderr } = spawnSync(process.execPath, [...flagsOf(name), "--input-type=module", "--eval", load], {
    env,
    encoding: "utf8",
  });
  return stdout.trim() || stderr;
}
