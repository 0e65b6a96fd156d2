import type { Problem } from "../contract/errors.js";
import type { Plan } from "../contract/plan.js";
import type { Dialect } from "../contract/workflow.js";
import { withAskedAnswers } from "./asked-answers.js";
import { defined } from "./defined.js";
import type { DialectReader } from "./dialect.js";
import { dialects } from "./dialects.js";
import { type CalledFunctions, functionsOf } from "./functions.js";
import { didYouMean } from "./nearest.js";
import type { Mapping } from "./node.js";
import { Problems } from "./problems.js";
import { read } from "./read.js";
import { versionOf } from "./version.js";

/** `functions`: what is still to be looked at in another file. */
export type CompileResult =
  | { ok: true; plan: Plan; dialect: Dialect; version: string; functions?: CalledFunctions }
  | { ok: false; problems: Problem[] };

/**
 * Compile a definition to the plan of its runs. Pure: the same text gives the same plan, and its version names that plan's content.
 *
 * @param text YAML or JSON, as `file` is called `.yaml`, `.yml` or `.json`
 * @returns the plan and its version, the sha256 of its canonical JSON in hex; or every problem found, each at its place
 */
export function compile(text: string, file: string): CompileResult {
  const result = read(text, file);
  if (!result.ok) return result;
  const problems = new Problems();
  const reader = readerOf(result.root, file, problems);
  const plan = reader?.compile(result.root, problems, file);
  const functions = plan && functionsOf(plan, result.root, problems);
  if (!reader || !plan || problems.some) return { ok: false, problems: problems.list() };
  const whole = withAskedAnswers(plan);
  return { ok: true, plan: whole, dialect: reader.dialect, version: versionOf(whole), ...defined({ functions }) };
}

/** The dialect that the definition names by `dialect`, else the one that it looks like. */
function readerOf(root: Mapping, file: string, problems: Problems): DialectReader | undefined {
  const names = dialects.map(({ dialect }) => dialect);
  const entry = root.entries.find(({ key }) => key === "dialect");
  if (entry) {
    const { value } = entry;
    const named = value.kind === "scalar" ? dialects.find(({ dialect }) => dialect === value.value) : undefined;
    const written = value.kind === "scalar" ? String(value.value) : "";
    if (!named) problems.add(value, `"dialect" must be one of ${names.join(", ")}.${didYouMean(written, names)}`);
    return named;
  }
  const fitting = dialects.filter((reader) => reader.fits(root, file));
  if (fitting.length === 1) return fitting[0];
  const steps = root.entries.find(({ key }) => key === "steps")?.value;
  if (fitting.length === 0 && steps?.kind === "list" && steps.items.length === 0) {
    problems.add(steps, '"steps" is empty. A definition has at least one step.');
    return undefined;
  }
  const shapes = (fitting.length > 0 ? fitting : dialects).map(({ dialect, shape }) => `${dialect} (${shape})`).join(", or ");
  const problem = fitting.length > 0 ? "This can be read in several ways" : "This looks like no definition";
  problems.add(
    { path: "", line: root.line, column: root.column },
    `${problem}: ${shapes}. Say which by a key "dialect" at the top.`,
  );
  return undefined;
}
