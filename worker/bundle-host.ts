import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BundleOptions, bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";
import { build } from "esbuild";

const temporalsEncoding = createRequire(import.meta.url).resolve("@temporalio/common/lib/encoding");

/**
 * Bundle the workflow host for Temporal's sandbox. Bundling takes seconds, so it is part of the build and
 * not of the start; a bundle made from the same files is kept.
 */
export async function bundleHost(workflowsPath: string, target: string): Promise<void> {
  const inputs = await hashOfInputs(dirname(dirname(workflowsPath)));
  const stamp = `${target}.inputs`;
  if ((await readFile(stamp, "utf8").catch(() => "")) === inputs && (await readFile(target).catch(() => null))) return;

  await bundleWorkflows(workflowsPath, target, join(dirname(workflowsPath), "encoding.js"));
  await writeFile(stamp, inputs);
}

/**
 * Bundle workflow code for Temporal's sandbox, with zod and CEL as one module each.
 *
 * @param ownEncoding the module to take instead of Temporal's encoder
 */
export async function bundleWorkflows(workflowsPath: string, target: string, ownEncoding: string): Promise<void> {
  const problems: string[] = [];
  const logger = new DefaultLogger("ERROR", ({ message }) => void problems.push(message));
  try {
    const zod = await flatZod(`${target}.zod.cjs`);
    const cel = await flatCel(`${target}.cel.cjs`);
    const webpackConfigHook: BundleOptions["webpackConfigHook"] = (config) => ({
      ...config,
      resolve: {
        ...config.resolve,
        alias: { ...config.resolve?.alias, zod$: zod, "@bufbuild/cel$": cel, [temporalsEncoding]: ownEncoding },
      },
    });
    const { code } = await bundleWorkflowCode({ workflowsPath, logger, webpackConfigHook });
    await writeFile(target, withoutSources(code));
  } catch (error) {
    throw new Error(`The workflow host could not be bundled.\n${problems.join("\n")}`, { cause: error });
  }
}

/**
 * zod as one module, whose exports are the `z` of zod: every run evaluates it anew, and its hundred files would cost more than
 * what is in them.
 */
async function flatZod(outfile: string): Promise<string> {
  const contents = `import { z } from "zod";
    const itself = { value: z, enumerable: true };
    module.exports = Object.defineProperties(z, { __esModule: { value: true }, z: itself, default: itself });`;
  const stdin = { contents, resolveDir: dirname(fileURLToPath(import.meta.url)) };
  await build({ stdin, bundle: true, format: "cjs", platform: "neutral", target: "es2022", outfile });
  await writeFile(outfile, withPlainExports(await readFile(outfile, "utf8")));
  return outfile;
}

/** CEL as one module, for the same reason. It is evaluated only by runs that ask for it. */
async function flatCel(outfile: string): Promise<string> {
  const stdin = { contents: `export * from "@bufbuild/cel";`, resolveDir: dirname(fileURLToPath(import.meta.url)) };
  await build({
    stdin,
    bundle: true,
    format: "cjs",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
    outfile,
  });
  return outfile;
}

/**
 * The 800 getters of its namespaces are a third of what evaluating it costs. A namespace that zod's own code does not look into can
 * as well be given the values themselves, once all is evaluated.
 */
function withPlainExports(code: string): string {
  const values: { namespace: string; assignment: string }[] = [];
  let body = code.replace(/^__export\((\w+), \{([^{}]*)\}\);$/gm, (whole, namespace: string, getters: string) => {
    if (code.includes(`${namespace}.`)) return whole;
    values.push({ namespace, assignment: `Object.assign(${namespace}, {${getters.replaceAll(": () => ", ": ")}});\n` });
    return "";
  });
  for (const { namespace, assignment } of values) {
    const copied = body.indexOf(`...${namespace}`); // by then its values must be there
    const at = copied === -1 ? body.length : body.lastIndexOf("\nvar ", copied) + 1;
    body = body.slice(0, at) + assignment + body.slice(at);
  }
  return body;
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
  for (const file of [fileURLToPath(import.meta.url), join(dirname(dist), "package-lock.json")])
    hash.update(await readFile(file));
  for (const folder of ["contract", "definition", "sdk", "workflows"]) {
    for (const name of (await readdir(join(dist, folder))).sort()) {
      if (name.endsWith(".js") && !name.endsWith(".test.js"))
        hash.update(`${folder}/${name}\0`).update(await readFile(join(dist, folder, name)));
    }
  }
  return hash.digest("hex");
}
