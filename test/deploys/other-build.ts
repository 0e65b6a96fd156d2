import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { builtFile, packageRoot } from "../../package-root.js";

/** What a build needs that is to replay. */
const FILES = ["worker/replay-main.js", "program.js", "package-root.js", "programs/replay.cjs", "programs/replay.cjs.cache"];

/** Another Longhaul, installed in the folder: this one, its workflow code changed. */
export function otherBuild(folder: string, change: (code: string) => string): string {
  for (const file of FILES) {
    mkdirSync(dirname(join(folder, "dist", file)), { recursive: true });
    cpSync(builtFile(file), join(folder, "dist", file));
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "longhaul", version: "0.2.0", type: "module" }));
  symlinkSync(join(packageRoot, "node_modules"), join(folder, "node_modules"));
  changeBuild(folder, change);
  return folder;
}

/** As if the other Longhaul were of yet another text. */
export function changeBuild(folder: string, change: (code: string) => string): void {
  writeFileSync(join(folder, "dist/workflow-host.cjs"), change(readFileSync(builtFile("workflow-host.cjs"), "utf8")));
}
