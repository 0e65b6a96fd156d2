import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build, formatMessages, type Plugin } from "esbuild";
import { builtFile } from "../package-root.js";
import { filesOf, PROGRAMS, type ProgramName, writeCache } from "../program.js";

/** Found by the programs where they are installed: what is loaded late or never, and what reads files of its own. */
const EXTERNAL = [
  "@anthropic-ai/claude-agent-sdk",
  "@swc/*",
  "esbuild",
  "pg-native",
  "source-map",
  "source-map-loader",
  "swc-loader",
  "webpack",
];

/** What Node gives to a CommonJS module, an import, the place that an ES module asks for, and what looks for a file that stays where it is. */
const HEAD = `(function (exports, require, module, __filename, __dirname, __import) { "use strict";
const __url = require("node:url").pathToFileURL(__filename).href, __resolve = require.resolve;`;

/**
 * Put each program into one file, and beside it what V8 made of it while it was evaluated.
 *
 * @throws {Error} for whatever esbuild warns of.
 */
export async function bundlePrograms(): Promise<void> {
  const names = Object.keys(PROGRAMS) as ProgramName[];
  await Promise.all(names.map(bundle));
  for (const name of names) writeCache(name);
}

async function bundle(name: ProgramName): Promise<void> {
  const { code, cache } = filesOf(name);
  // V8 tells code by its length alone.
  await rm(cache, { force: true });
  const { warnings } = await build({
    entryPoints: [builtFile(PROGRAMS[name])],
    outfile: code,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: EXTERNAL,
    // Code from V8's cache cannot import by itself: Node asks for a callback that it lost.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "__url" },
    banner: { js: HEAD },
    footer: { js: "});" },
    sourcemap: true,
    sourcesContent: false,
    logLevel: "error",
    plugins: [ownPlaces, lateModules],
  });
  // Such as of a file that is looked for beside the bundle: it would be missed as late as in use.
  if (warnings.length > 0) throw new Error((await formatMessages(warnings, { kind: "error" })).join("\n"));
}

/** What few commands of the command line need stays as it was compiled: it is large, and finds files beside its own. */
const lateModules: Plugin = {
  name: "late-modules",
  setup({ onLoad }) {
    onLoad({ filter: /\/dist\/cli\/commands\/[^/]+\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      return { contents: text.replace(/\bimport\("\.\.\/\.\.\/local\//g, '__import("../local/'), loader: "js" };
    });
  },
};

/** Temporal's packages look for files beside their own: the threads of a worker, its native core. */
const ownPlaces: Plugin = {
  name: "own-places",
  setup({ onLoad }) {
    onLoad({ filter: /@temporalio\/(core-bridge\/common|worker\/lib\/.*)\.js$/ }, async ({ path }) => {
      const [, name = "", file = ""] = /node_modules\/(@temporalio\/[^/]+)\/(.*)$/.exec(path) ?? [];
      const folder = dirname(file);
      const own = `require("node:path").join(__resolve("${name}/package.json"), "..", "${folder}")`;
      const text = await readFile(path, "utf8");
      const contents = text
        .replace(/require\.resolve\('(\.[^']*)'\)/g, (_, beside: string) => `__resolve("${join(name, folder, beside)}")`)
        .replace(/\b__dirname\b/g, own);
      return { contents, loader: "js" };
    });
  },
};
