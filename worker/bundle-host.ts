import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BundleOptions, bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";
import { build } from "esbuild";

/**
 * Bundle the workflow host for Temporal's sandbox. Bundling takes seconds, so it is part of the build and
 * not of the start; a bundle made from the same files is kept.
 */
export async function bundleHost(workflowsPath: string, target: string): Promise<void> {
  const inputs = await hashOfInputs(dirname(dirname(workflowsPath)));
  const stamp = `${target}.inputs`;
  if ((await readFile(stamp, "utf8").catch(() => "")) === inputs && (await readFile(target).catch(() => null))) return;

  const problems: string[] = [];
  const logger = new DefaultLogger("ERROR", ({ message }) => void problems.push(message));
  try {
    const zod = await flatZod(`${target}.zod.cjs`);
    const webpackConfigHook: BundleOptions["webpackConfigHook"] = (config) => ({
      ...config,
      resolve: { ...config.resolve, alias: { ...config.resolve?.alias, zod$: zod } },
    });
    const { code } = await bundleWorkflowCode({ workflowsPath, logger, webpackConfigHook });
    await writeFile(target, withoutSources(code));
    await writeFile(stamp, inputs);
  } catch (error) {
    throw new Error(`The workflow host could not be bundled.\n${problems.join("\n")}`, { cause: error });
  }
}

/**
 * zod as one module, whose exports are the `z` of zod: every run evaluates it anew, and its hundred files, each of them with a
 * getter for every export, cost more than what is in them.
 */
async function flatZod(outfile: string): Promise<string> {
  const contents = `import { z } from "zod";
    const itself = { value: z, enumerable: true };
    module.exports = Object.defineProperties(z, { __esModule: { value: true }, z: itself, default: itself });`;
  const stdin = { contents, resolveDir: dirname(fileURLToPath(import.meta.url)) };
  await build({ stdin, bundle: true, format: "cjs", platform: "neutral", target: "es2022", outfile });
  return outfile;
}

/** The bundle ends with its source map. Each thread of a worker holds the map; the text of all sources in it, three fifths of the bundle, is of no use there. */
function withoutSources(code: string): string {
  return code.replace(
    /(\n\/\/# sourceMappingURL=data:application\/json;[^,]*base64,)([\w+/=]+)\s*$/,
    (_, start: string, map: string) => {
      const { sourcesContent: _text, ...rest } = JSON.parse(Buffer.from(map, "base64").toString()) as Record<string, unknown>;
      return start + Buffer.from(JSON.stringify(rest)).toString("base64");
    },
  );
}

async function hashOfInputs(dist: string): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of ["contract", "sdk", "workflows"]) {
    for (const name of (await readdir(join(dist, folder))).sort()) {
      if (name.endsWith(".js") && !name.endsWith(".test.js"))
        hash.update(`${folder}/${name}\0`).update(await readFile(join(dist, folder, name)));
    }
  }
  return hash.digest("hex");
}
