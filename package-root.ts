import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Longhaul's own folder, whether this runs from the sources or from `dist/`. */
export const packageRoot: string = find(dirname(fileURLToPath(import.meta.url)));

/** A built file by its place below `dist/`: what a child process runs. */
export function builtFile(path: string): string {
  return join(packageRoot, "dist", path);
}

function find(folder: string): string {
  const file = join(folder, "package.json");
  if (existsSync(file) && JSON.parse(readFileSync(file, "utf8")).name === "longhaul") return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("Longhaul's own package.json is not above its files.");
  return find(parent);
}
