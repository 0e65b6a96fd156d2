import { dirname, relative } from "node:path";

/** Of one file or folder. */
export interface Count {
  lines: number;
  /** Run by a test's own process. */
  here: number;
  /** Run by any process. */
  anywhere: number;
  /** Run by none: line numbers from 1. */
  missed: number[];
}

/** What vitest's `json` reporter writes of a file: its statements, and how often each ran. */
export type Statements = Record<
  string,
  { path: string; statementMap: Record<string, { start: { line: number } }>; s: Record<string, number> }
>;

/** A line counts when a statement begins in it. It was run when any process ran it. */
export function countFiles(statements: Statements, elsewhere: Map<string, Set<number>>, root: string): Map<string, Count> {
  const counts = new Map<string, Count>();
  for (const { path, statementMap, s } of Object.values(statements)) {
    const ranHere = new Map<number, boolean>();
    for (const [id, { start }] of Object.entries(statementMap))
      ranHere.set(start.line, (ranHere.get(start.line) ?? false) || (s[id] ?? 0) > 0);
    const all = [...ranHere.keys()].sort((a, b) => a - b);
    const missed = all.filter((line) => !ranHere.get(line) && !elsewhere.get(path)?.has(line));
    counts.set(relative(root, path), {
      lines: all.length,
      here: all.filter((line) => ranHere.get(line)).length,
      anywhere: all.length - missed.length,
      missed,
    });
  }
  return counts;
}

/**
 * Prints a line for each folder and one for all.
 *
 * @param files whether to print each file's missed lines as well.
 * @returns percent of lines that any process came by.
 */
export function report(counts: Map<string, Count>, { files }: { files: boolean }): number {
  const folders = new Map<string, Count>();
  const total: Count = { lines: 0, here: 0, anywhere: 0, missed: [] };
  for (const [file, count] of counts) {
    const name = dirname(file) === "." ? "(root)" : dirname(file);
    const sum = folders.get(name) ?? { lines: 0, here: 0, anywhere: 0, missed: [] };
    folders.set(name, sum);
    for (const one of [sum, total]) {
      one.lines += count.lines;
      one.here += count.here;
      one.anywhere += count.anywhere;
    }
  }
  console.log(`\n${row("", "lines", "in tests", "in all")}`);
  for (const [name, count] of [...folders].sort()) console.log(rowOf(name, count));
  if (files) {
    console.log("\nLines that nothing came by:");
    for (const [file, { missed }] of [...counts].sort()) if (missed.length > 0) console.log(`${file}: ${spans(missed)}`);
  }
  console.log(rowOf("\nall", total));
  console.log(`coverage: ${percent(total.anywhere, total.lines)} of lines`);
  return total.lines === 0 ? 0 : (100 * total.anywhere) / total.lines;
}

function rowOf(name: string, { lines, here, anywhere }: Count): string {
  return row(name, String(lines), percent(here, lines), percent(anywhere, lines));
}

function row(name: string, ...cells: string[]): string {
  return name.padEnd(20) + cells.map((cell) => cell.padStart(10)).join("");
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`;
}

/** 3-5, 9: for lines that follow one another. */
function spans(lines: number[]): string {
  const found: [number, number][] = [];
  for (const line of lines) {
    const last = found.at(-1);
    if (last && last[1] === line - 1) last[1] = line;
    else found.push([line, line]);
  }
  return found.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(", ");
}
