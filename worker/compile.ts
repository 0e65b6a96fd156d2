import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { builtinModules, createRequire, SourceMap } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { type BuildOptions, type BuildResult, build, type Metafile, type Plugin } from "esbuild";
import type { CodeProgram } from "../contract/run-spec.js";
import type { LoadError } from "../contract/workflow.js";
import { builtFile } from "../package-root.js";

/** A run's code travels as its first argument; Temporal refuses payloads near 2 MiB. */
const MAX_CODE_BYTES = 1024 * 1024;

/** What the sandbox gives a body by `require`. */
const PROVIDED = ["longhaul", "zod", "@temporalio/workflow"];

export interface Compiled {
  program: Omit<CodeProgram, "activities">;
  activitiesCode: string | null;
  /** All files that it was compiled from, absolute, and a few names that are none. */
  files: string[];
}

/** A definition file that cannot be compiled; carries the place. */
export class CompileError extends Error {
  override readonly name = "CompileError";

  constructor(readonly problem: LoadError) {
    super(problem.message);
  }
}

/**
 * Compile a definition file: the body for Temporal's sandbox, and the `activities` it exports, if any, for
 * Node. Packages are bundled in; a Node import may stand in the file as long as only `activities` use it.
 *
 * @param file absolute. @param root the project's folder: paths in errors are relative to it.
 * @param given what is taken to stand in the file, which need not be there. @default what stands in it
 * @throws {CompileError}
 */
export async function compile(file: string, root: string, given?: string): Promise<Compiled> {
  const name = relative(root, file);
  const source: Source = { file, root, given };
  const activities = compileActivities(source);
  activities.catch(() => {}); // what is wrong with the body is told first
  const body = await bundle(source, 'export { default } from "FILE"', {
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import", "default"],
    external: PROVIDED,
    sourcemap: "external",
    plugins: [unusedBuiltinsVanish],
  });
  await refuseBuiltins(body.metafile, source);

  const [map, text] = byExtension(body);
  if (text.length > MAX_CODE_BYTES) {
    const message = `The compiled workflow has ${text.length} bytes, more than ${MAX_CODE_BYTES}. Import less into the body.`;
    throw new CompileError({ message, file: name, line: null, column: null });
  }
  const { code: activitiesCode, files } = await activities;
  const lines = linesOf(map, text);
  return {
    program: {
      kind: "code",
      code: text,
      file: name,
      ...lines,
      activities_hash: activitiesCode === null ? null : createHash("sha256").update(activitiesCode).digest("hex"),
    },
    activitiesCode,
    files: [...new Set([...filesOf(body, root), ...files])],
  };
}

interface Source {
  file: string;
  root: string;
  given: string | undefined;
}

/**
 * Compile a file of plain functions for Node: all that it exports.
 *
 * @param file absolute. @param root the project's folder.
 * @throws {CompileError}
 */
export async function compileFunctions(file: string, root: string): Promise<{ code: string; files: string[] }> {
  const result = await bundleForNode({ file, root, given: undefined }, 'export * as activities from "FILE"');
  return { code: result.outputFiles[0]?.text ?? "", files: filesOf(result, root) };
}

async function compileActivities(source: Source): Promise<{ code: string | null; files: string[] }> {
  const whole = await bundle(source, 'export * from "FILE"', { format: "esm", platform: "node", packages: "external" });
  const exported = Object.values(whole.metafile.outputs).flatMap((output) => output.exports);
  if (!exported.includes("activities")) return { code: null, files: [] };

  const result = await bundleForNode(source, 'export { activities } from "FILE"');
  return { code: result.outputFiles[0]?.text ?? null, files: filesOf(result, source.root) };
}

/** Brings `longhaul` and `zod` only where they are used. */
async function bundleForNode(source: Source, entry: string): Promise<Bundle> {
  const bundled = (packages: Plugin) =>
    bundle(source, entry, { platform: "node", sourcemap: "inline", plugins: [packages, withoutDefinition(source)] });
  const lean = await bundled(packagesOutside);
  const isLean = !Object.values(lean.metafile.outputs).some(({ imports }) => imports.some(({ path }) => OWN.test(path)));
  return isLean ? lean : bundled(ownPackages);
}

type Bundle = BuildResult<{ write: false; metafile: true }>;

async function bundle({ file, root, given }: Source, entry: string, options: BuildOptions): Promise<Bundle> {
  try {
    return await build({
      stdin: {
        contents: entry.replace("FILE", `./${basename(file)}`),
        resolveDir: dirname(file),
        sourcefile: "longhaul-entry.ts",
      },
      absWorkingDir: root,
      bundle: true,
      format: "cjs",
      target: "es2022",
      outfile: "compiled.js",
      sourcesContent: false,
      charset: "utf8",
      logLevel: "silent",
      tsconfigRaw: { compilerOptions: { experimentalDecorators: false } },
      ...options,
      plugins: [...(options.plugins ?? []), ...(given === undefined ? [] : [instead(file, given)])],
      write: false,
      metafile: true,
    });
  } catch (error) {
    const [first] =
      (error as { errors?: { text: string; location: { file: string; line: number; column: number } | null }[] }).errors ?? [];
    if (!first) throw error;
    const { text, location } = first;
    const at = location && location.file !== "longhaul-entry.ts" ? location : null;
    throw new CompileError({
      message: text,
      file: at?.file ?? relative(root, file),
      line: at?.line ?? null,
      column: at ? at.column + 1 : null,
    });
  }
}

const builtins = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));

/** Imports of Node's modules are without side effects: what only `activities` use goes with them. */
const unusedBuiltinsVanish: Plugin = {
  name: "unused-builtins-vanish",
  setup({ onResolve }) {
    onResolve({ filter: /.*/ }, ({ path }) => (builtins.has(path) ? { path, external: true, sideEffects: false } : undefined));
  },
};

/** Reading these takes ten times as long as all the rest, and activities seldom use what only the definition needs. */
const OWN = /^(longhaul|zod)$/;

const packagesOutside: Plugin = {
  name: "packages-outside",
  setup({ onResolve }) {
    onResolve({ filter: OWN }, ({ path }) => ({ path, external: true, sideEffects: false }));
  },
};

/** `longhaul` and `zod` of a project without its own node_modules are Longhaul's. */
const ownPackages: Plugin = {
  name: "own-packages",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^longhaul$/ }, () => ({ path: builtFile("sdk/index.js"), sideEffects: false }));
    onResolve({ filter: /^zod$/ }, async ({ path, resolveDir, pluginData }) => {
      if (pluginData === "asked") return undefined;
      const found = await resolve(path, { resolveDir, kind: "import-statement", pluginData: "asked" });
      const file = found.errors.length === 0 ? found.path : createRequire(import.meta.url).resolve("zod");
      return { path: file, sideEffects: false };
    });
  },
};

/** A text that stands for a file. Its folder need not be there, in which case there is nothing beside it to import. */
function instead(file: string, contents: string): Plugin {
  const resolveDir = folderOf(file);
  return {
    name: "instead",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\// }, ({ path, resolveDir: from }) => (resolve(from, path) === file ? { path: file } : undefined));
      onLoad({ filter: /\.[cm]?tsx?$/ }, ({ path }) => (path === file ? { contents, resolveDir, loader: "ts" } : undefined));
    },
  };
}

/** The nearest folder that is there. */
function folderOf(file: string): string {
  const folder = dirname(file);
  return existsSync(folder) ? folder : folderOf(folder);
}

/** The definition becomes a function that nothing calls, so that it and what it alone needs are left out. */
function withoutDefinition({ file, given }: Source): Plugin {
  return {
    name: "without-definition",
    setup({ onLoad }) {
      onLoad({ filter: /\.[cm]?tsx?$/ }, async ({ path }) => {
        if (path !== file) return undefined;
        const text = given ?? (await readFile(file, "utf8"));
        const contents = text.replace(/^export default (?=defineWorkflow\b|createWorkflow\b)/m, "const definition = () => ");
        return { contents, loader: "ts", ...(given === undefined ? {} : { resolveDir: folderOf(file) }) };
      });
    },
  };
}

/** @throws {CompileError} naming the first line that brings one of Node's modules into the body. */
async function refuseBuiltins(metafile: Metafile, { file, root, given }: Source): Promise<void> {
  const [output] = Object.entries(metafile.outputs).filter(([path]) => path.endsWith(".js"));
  const used = new Set(
    output?.[1].imports.filter(({ external, path }) => external && builtins.has(path)).map(({ path }) => path),
  );
  if (used.size === 0) return;

  for (const input of Object.keys(output?.[1].inputs ?? {})) {
    const isGiven = given !== undefined && resolve(root, input) === file;
    const text = isGiven ? given : await readFile(join(root, input), "utf8").catch(() => "");
    for (const [i, line] of text.split("\n").entries()) {
      const found = /(?:from|import|require\()\s*["']([^"']+)["']/.exec(line)?.[1];
      if (found && used.has(found)) {
        throw new CompileError({
          message: `The workflow's body uses "${found}", which its sandbox does not have. Move what needs it into the exported \`activities\`, or use ctx.shell, ctx.files or ctx.git.`,
          file: input,
          line: i + 1,
          column: line.indexOf(found) + 1,
        });
      }
    }
  }
  const [name] = used;
  throw new CompileError({
    message: `The workflow's body uses "${name}", which its sandbox does not have.`,
    file: "",
    line: null,
    column: null,
  });
}

function filesOf({ metafile }: Bundle, root: string): string[] {
  return Object.keys(metafile.inputs).map((path) => resolve(root, path));
}

function byExtension({ outputFiles }: Bundle): [map: string, text: string] {
  const find = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? "";
  return [find(".js.map"), find(".js")];
}

/** For each compiled line, where it came from: all that stack traces need of a source map. */
function linesOf(map: string, text: string): Pick<CodeProgram, "sources" | "lines"> {
  const parsed = JSON.parse(map) as { sources: string[] };
  const sourceMap = new SourceMap(JSON.parse(map));
  const lines = text.split("\n").map((line, i): [number, number] | null => {
    const column = Math.max(0, line.search(/\S/));
    const entry = sourceMap.findEntry(i, column) as { originalSource?: string; originalLine?: number; generatedLine?: number };
    if (entry.originalSource === undefined || entry.originalLine === undefined || entry.generatedLine !== i) return null;
    return [parsed.sources.indexOf(entry.originalSource), entry.originalLine + 1];
  });
  return { sources: parsed.sources, lines };
}
