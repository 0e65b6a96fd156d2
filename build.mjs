// Compiles the product to dist/ and bundles the workflow host and the programs. All is skipped when nothing changed.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
process.chdir(root);

const FOLDERS = [
  "contract",
  "sdk",
  "definition",
  "workflows",
  "activities",
  "worker",
  "db",
  "api",
  "local",
  "bench",
  "test",
  "cli",
];
const files = [
  ...readdirSync(".").filter((name) => /\.(ts|mjs|json)$/.test(name)),
  ...FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  ),
].sort();
// What V8 made of the programs is of use to the same version of Node.
const hash = createHash("sha256").update(process.version);
for (const file of files) hash.update(`${file}\0`).update(readFileSync(file));
const sources = hash.digest("hex");

const stampFile = "dist/.built";
if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === sources && !process.argv.includes("--force")) process.exit(0);

mkdirSync("dist", { recursive: true });
const tsc = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { stdio: "inherit" });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

chmodSync("dist/cli/main.js", 0o755);

const { bundleHost } = await import(pathToFileURL(join(root, "dist/worker/bundle-host.js")).href);
await bundleHost(join(root, "dist/workflows/index.js"), join(root, "dist/workflow-host.cjs"));
const { bundlePrograms } = await import(pathToFileURL(join(root, "dist/local/bundle-programs.js")).href);
await bundlePrograms();

writeFileSync(stampFile, sources);
