// Compiles the product to dist/, bundles the workflow host and the programs, and builds the page. What nothing changed in is skipped.

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
/** Files of the kinds given below these folders, and at the top. */
const filesOf = (folders, kinds) =>
  [
    ...readdirSync(".").filter((name) => /\.(ts|mjs|json)$/.test(name)),
    ...folders
      .filter((folder) => existsSync(folder))
      .flatMap((folder) =>
        readdirSync(folder, { recursive: true, encoding: "utf8" })
          .filter((name) => kinds.test(name))
          .map((name) => join(folder, name)),
      ),
  ].sort();

/** Do it unless these files are as they were when it was done last. What V8 made of the programs is of use to the same version of Node. */
async function unlessDone(stampFile, files, work) {
  const hash = createHash("sha256").update(process.version);
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(file));
  const sources = hash.digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === sources && !process.argv.includes("--force")) return;
  mkdirSync("dist", { recursive: true });
  await work();
  writeFileSync(stampFile, sources);
}

function node(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) process.exit(status ?? 1);
}

await unlessDone("dist/.built", filesOf(FOLDERS, /\.ts$/), async () => {
  node("node_modules/typescript/bin/tsc", "-p", "tsconfig.json");
  chmodSync("dist/cli/main.js", 0o755);

  const { bundleHost } = await import(pathToFileURL(join(root, "dist/worker/bundle-host.js")).href);
  await bundleHost(join(root, "dist/workflows/index.js"), join(root, "dist/workflow-host.cjs"));
  const { bundlePrograms } = await import(pathToFileURL(join(root, "dist/local/bundle-programs.js")).href);
  await bundlePrograms();
});

await unlessDone("dist/.web-built", filesOf(["web", "contract", "sdk"], /\.(tsx?|css|html|svg)$/), () => {
  node("node_modules/typescript/bin/tsc", "-p", "web");
  node("node_modules/vite/bin/vite.js", "build", "web", "--logLevel", "warn");
});
