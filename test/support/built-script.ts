import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { packageRoot } from "../../package-root.js";
import { whenThrough } from "./ends.js";

/** Under `node_modules`, from where packages are found. */
const folder = join(packageRoot, "node_modules", ".cache", `longhaul-tests-${process.pid}`);

/**
 * Makes a TypeScript file of this repository one that Node can run by itself, for as long as the test file runs.
 *
 * @param source from the repository's root: `test/support/idle-child.ts`.
 * @returns its path, absolute.
 */
export async function builtScript(source: string): Promise<string> {
  whenThrough(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, `${source.replaceAll("/", "-")}.mjs`);
  await build({
    entryPoints: [join(packageRoot, source)],
    outfile,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    // For `npm run coverage`, which counts the lines of the source.
    sourcemap: "inline",
  });
  return outfile;
}
