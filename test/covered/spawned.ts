import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { originsOf, type SourceMap } from "./source-map.js";

/** What Node writes for a process that ran with NODE_V8_COVERAGE and ended by itself. */
interface ProcessCounts {
  result: Script[];
  "source-map-cache"?: Record<string, { lineLengths: number[]; data: SourceMap | null }>;
}

interface Script {
  url: string;
  functions: { ranges: Range[] }[];
}

/** Offsets in the script, in UTF-16 units; the end is not in it. */
interface Range {
  startOffset: number;
  endOffset: number;
  count: number;
}

/** A built script, with its source map. */
interface Built {
  lineLengths: number[];
  map: SourceMap;
  folder: string;
}

/**
 * The lines of our sources that the processes of a test run came by: those they loaded as files, and the workflow host,
 * which Temporal runs in contexts of its own. A process that was ended with `kill -9` has told nothing, or not all.
 *
 * @param counts the folder that NODE_V8_COVERAGE named.
 * @param root only sources below it, outside `node_modules`.
 * @returns by the source's absolute path, line numbers from 1; and how many processes left half a file.
 */
export function linesRun(counts: string, root: string): { lines: Map<string, Set<number>>; broken: number } {
  const lines = new Map<string, Set<number>>();
  let broken = 0;
  for (const name of readdirSync(counts)) {
    const told = read(join(counts, name));
    if (!told) {
      broken++;
      continue;
    }
    for (const script of told.result) {
      if (!script.url.startsWith("file:")) continue;
      const built = builtScriptOf(fileURLToPath(script.url), root, told["source-map-cache"]?.[script.url]);
      if (built) addLines(lines, script, built, root);
    }
  }
  return { lines, broken };
}

function read(file: string): ProcessCounts | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function addLines(lines: Map<string, Set<number>>, script: Script, { lineLengths, map, folder }: Built, root: string): void {
  const ran = offsetsRun(script);
  const starts = [0];
  for (const length of lineLengths) starts.push((starts.at(-1) ?? 0) + length + 1);
  for (const { line, column, source, sourceLine } of originsOf(map)) {
    if (ran[(starts[line] ?? 0) + column] !== 1) continue;
    const file = source.startsWith("file:") ? fileURLToPath(source) : resolve(folder, map.sourceRoot ?? "", source);
    if (!isOurs(file, root)) continue;
    const found = lines.get(file) ?? new Set();
    lines.set(file, found.add(sourceLine));
  }
}

/** For each offset 1 when it ran: of ranges that lie in one another, the innermost says it. */
function offsetsRun({ functions }: Script): Uint8Array {
  const ranges = functions.flatMap((one) => one.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  const ran = new Uint8Array(Math.max(0, ...ranges.map(({ endOffset }) => endOffset)));
  for (const { startOffset, endOffset, count } of ranges) ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return ran;
}

const withMaps = new Map<string, Built | null>();

/** Node keeps the map of each file that it loads itself; that of others, the host and the programs, is named in their last line. */
function builtScriptOf(
  path: string,
  root: string,
  kept: { lineLengths: number[]; data: SourceMap | null } | undefined,
): Built | null {
  if (!path.startsWith(`${root}/`)) return null;
  if (kept?.data) return { lineLengths: kept.lineLengths, map: kept.data, folder: dirname(path) };
  if (!path.startsWith(`${root}/dist/`)) return null;
  if (!withMaps.has(path)) withMaps.set(path, readWithMap(path));
  return withMaps.get(path) ?? null;
}

function readWithMap(path: string): Built | null {
  if (!existsSync(path)) return null;
  const text = readFileSync(path, "utf8");
  const named = text.slice(text.lastIndexOf("\n//# sourceMappingURL="));
  const [, inline, file] = /sourceMappingURL=(?:data:[^,]*;base64,([\w+/=]+)|(\S+\.map))\s*$/.exec(named) ?? [];
  const map = inline ? Buffer.from(inline, "base64").toString("utf8") : file && readFileSync(join(dirname(path), file), "utf8");
  if (!map) return null;
  return { lineLengths: text.split("\n").map(({ length }) => length), map: JSON.parse(map) as SourceMap, folder: dirname(path) };
}

function isOurs(file: string, root: string): boolean {
  return file.startsWith(`${root}/`) && !file.startsWith(`${root}/node_modules/`);
}
