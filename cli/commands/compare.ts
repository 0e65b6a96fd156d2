import type { Command } from "commander";
import { type ComparedStep, Comparison, isSame, type TreeDifference } from "../../contract/comparison.js";
import { connect } from "../connection.js";
import { RUN_ARGUMENT, runId, runPath } from "../find-run.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, type Style, statusStyle, withoutControls } from "../output.js";
import { printTable } from "../table.js";
import { duration } from "../times.js";

interface CompareOptions extends FormatOption {
  patch?: boolean;
  all?: boolean;
}

/** `longhaul compare <a> <b>`: two runs beside each other. */
export function addCompare(program: Command): void {
  withFormat(program.command("compare").argument("<a>", RUN_ARGUMENT).argument("<b>", "the run to put beside it"))
    .description("put two runs beside each other: steps, cost, time and the code they left")
    .option("--patch", "print what leads from the first one's code to the second one's")
    .option("--all", "print steps that are the same in both, too")
    .action(async (first: string, second: string, { format, patch = false, all = false }: CompareOptions) => {
      const client = connect();
      const [a, b] = [await runId(client, first), await runId(client, second)];
      const found = await client.get(runPath(a, "/compare"), Comparison, { with: b, patch });
      if (format === "json") return printJson(found);
      printRuns(found);
      printSteps(found, all);
      printTree(found);
    });
}

function printRuns({ a, b, difference, input, output }: Comparison): void {
  const rows = [
    ["run", a.id, b.id, ""],
    ["status", a.status, b.status, ""],
    ["time", duration(a.duration_ms), duration(b.duration_ms), signed(difference.duration_ms, duration)],
    ["steps' time", duration(a.steps_ms), duration(b.steps_ms), signed(difference.steps_ms, duration)],
    ["tokens", count(a.tokens), count(b.tokens), signed(difference.tokens, count)],
    ["cost", dollars(a.cost_usd), dollars(b.cost_usd), signed(difference.cost_usd, dollars)],
    ["input", "", "", input.equal ? "the same" : `differs: ${pathsOf(input.paths)}`],
    ["output", "", "", output.equal ? "the same" : `differs: ${pathsOf(output.paths)}`],
  ];
  const column = (i: number) => (row: string[]) => row[i] ?? "";
  printTable(rows, [
    { title: "", text: column(0) },
    { title: "FIRST", text: column(1) },
    { title: "SECOND", text: column(2) },
    { title: "DIFFERENCE", text: column(3) },
  ]);
  print();
}

function printSteps({ steps, counts }: Comparison, all: boolean): void {
  const { same, different, only_in_a, only_in_b } = counts;
  print(`Steps: ${same} the same, ${different} different, ${only_in_a} only in the first, ${only_in_b} only in the second`);
  const shown = all ? steps : steps.filter((step) => !isSame(step));
  if (shown.length > 0) {
    const style = ({ a, b }: ComparedStep): Style | undefined => statusStyle((b ?? a)?.status ?? "pending");
    printTable(shown, [
      { title: "STEP", text: ({ step_id, iteration }) => (iteration > 1 ? `${step_id} (${iteration})` : step_id), shrinks: true },
      { title: "FIRST", text: ({ a }) => a?.status ?? "-" },
      { title: "SECOND", text: ({ b }) => b?.status ?? "-", style },
      { title: "TIME", text: ({ a }) => duration(a?.duration_ms ?? null), align: "right" },
      { title: "TIME", text: ({ b }) => duration(b?.duration_ms ?? null), align: "right" },
      { title: "OUTPUT", text: outputOf, shrinks: true },
    ]);
  }
  print();
}

function outputOf({ output }: ComparedStep): string {
  if (output === null) return "-";
  return output.equal ? "the same" : `differs: ${pathsOf(output.paths)}`;
}

function printTree({ tree, tree_problem }: Comparison): void {
  if (tree === null) print(`Code: ${tree_problem ?? "-"}`);
  if (tree?.equal) print("Code: the same");
  if (tree === null || tree.equal) return;
  const { files, additions, deletions, truncated, patch } = tree;
  print(`Code: ${files.length} files, +${additions} -${deletions}${truncated ? ", not all of it shown" : ""}`);
  printTable(files, [
    { title: "FILE", text: nameOf, shrinks: true },
    { title: "CHANGE", text: ({ status }) => status.replace("_", " ") },
    { title: "+", text: ({ additions }) => count(additions), align: "right" },
    { title: "-", text: ({ deletions }) => count(deletions), align: "right" },
  ]);
  if (patch === null) return;
  print();
  for (const line of patch.trimEnd().split("\n")) print(withoutControls(line));
}

function nameOf({ path, from }: TreeDifference["files"][number]): string {
  return from === null ? path : `${from} → ${path}`;
}

function signed(value: number | null, text: (value: number | null) => string): string {
  if (value === null || value === 0) return value === null ? "-" : "none";
  return `${value > 0 ? "+" : "-"}${text(Math.abs(value))}`;
}

function count(value: number | null): string {
  return value === null ? "-" : value.toLocaleString("en");
}

function dollars(value: number | null): string {
  return value === null ? "-" : `$${value.toFixed(4)}`;
}

function pathsOf(paths: readonly string[]): string {
  const named = paths.map((path) => path || "all of it");
  return named.length > 3 ? `${named.slice(0, 3).join(", ")} and ${named.length - 3} more` : named.join(", ") || "-";
}
