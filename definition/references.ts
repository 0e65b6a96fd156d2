import type { Ref } from "../contract/plan.js";
import { didYouMean } from "./nearest.js";
import { type Mapping, toJson } from "./node.js";
import { type Path, showPath } from "./path.js";
import type { Mark } from "./placeholder.js";
import type { TemplateOptions } from "./template.js";

type Root = Exclude<Ref[0], "name">;

/** The first words of references; no step may be called so. */
export const ROOTS: readonly Root[] = ["input", "context", "steps", "vars", "run", "item", "index"];

/** The names that a definition gives to things, known before its steps are read. */
export interface Known {
  /** Keys of steps, those of `else` included. */
  steps: ReadonlySet<string>;
  /** Names that steps assign. */
  assigned: ReadonlySet<string>;
  /** Top-level properties of the input that its schema names. */
  input: ReadonlySet<string>;
  /** Whether the input can have other properties, too. */
  inputIsOpen: boolean;
}

export interface Naming {
  marks: readonly Mark[];
  /** The dialect's own words for roots, such as `args` for `input`. */
  aliases?: Readonly<Record<string, Root>>;
  /**
   * What a bare name that is no step and no assigned name means: with `context` one without a dot is looked for in the run's context
   * when the step begins, with `anything` one with a dot, too; with `nothing` it is a mistake.
   */
  bare: "anything" | "context" | "nothing";
}

/** @param keyWord under which a step has its key, such as `id` */
export function knownIn(root: Mapping, keyWord: string): Known {
  const steps = new Set<string>();
  const assigned = new Set<string>();
  for (const step of ["steps", "on_failure", "finally"].flatMap((list) => itemsOf(root, list))) {
    const key = textAt(step, keyWord);
    if (key !== undefined) steps.add(key);
    const name = textAt(step, "assign");
    if (name !== undefined) assigned.add(name);
    const other = step.kind === "map" ? step.entries.find((entry) => entry.key === "else")?.value : undefined;
    if (!other) continue;
    steps.add(elseKey(key ?? ""));
    const otherName = textAt(other, "assign");
    if (otherName !== undefined) assigned.add(otherName);
  }
  return { steps, assigned, ...inputOf(root) };
}

/** The key of what is done when a step's condition is not met. */
export function elseKey(key: string): string {
  return `${key}-else`;
}

/** How references are read in a dialect, given the names of the definition. */
export function references({ marks, aliases = {}, bare }: Naming, known: Known): TemplateOptions {
  const roots = new Map<string, Root>([...ROOTS.map((root) => [root, root] as const), ...Object.entries(aliases)]);
  return { marks, toRef };

  function toRef(path: Path): Ref | string {
    const [first, ...rest] = path;
    const name = String(first);
    const root = roots.get(name);
    if (root) return problemBelow(root, path) ?? [root, ...rest];
    if (known.steps.has(name) || known.assigned.has(name) || known.input.has(name)) return ["name", name, ...rest];
    if (bare === "anything") return ["name", name, ...rest];
    if (bare === "context" && rest.length === 0 && known.inputIsOpen) return ["name", name];
    return unknown(path);
  }

  function problemBelow(root: Root, path: Path): string | undefined {
    const [, name] = path;
    if (name === undefined) return undefined;
    if (root === "steps" && !known.steps.has(String(name)))
      return `There is no step "${name}".${didYouMean(String(name), known.steps)}`;
    if (root === "vars" && !known.assigned.has(String(name))) {
      return `No step assigns "${name}".${didYouMean(String(name), known.assigned)} What a run is started with is in input.`;
    }
    if (root !== "input" || known.inputIsOpen || known.input.has(String(name))) return undefined;
    return `The input has no "${name}", as its schema says.${didYouMean(String(name), known.input)}`;
  }

  function unknown(path: Path): string {
    const [first, ...rest] = path;
    const names = [...known.steps, ...known.assigned, ...known.input, ...roots.keys()];
    const meant = didYouMean(String(first), names);
    return `"${showPath(path)}" refers to "${first}", which is no step and no name of this definition.${meant || ` For a value of the run's input write ${showPath(["input", String(first), ...rest])}.`}`;
  }
}

function itemsOf(root: Mapping, key: string) {
  const value = root.entries.find((entry) => entry.key === key)?.value;
  return value?.kind === "list" ? value.items : [];
}

function textAt(node: ReturnType<typeof itemsOf>[number], key: string): string | undefined {
  if (node.kind !== "map") return undefined;
  const value = node.entries.find((entry) => entry.key === key)?.value;
  return value?.kind === "scalar" && typeof value.value === "string" ? value.value : undefined;
}

/** The properties that the input's schema names, and whether there may be others. */
function inputOf(root: Mapping): Pick<Known, "input" | "inputIsOpen"> {
  const node = root.entries.find(({ key }) => key === "input" || key === "argsSchema")?.value;
  const schema = node?.kind === "map" ? toJson(node) : {};
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return { input: new Set(), inputIsOpen: true };
  const { properties, additionalProperties } = schema;
  const named = typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
  return { input: new Set(named), inputIsOpen: additionalProperties !== false };
}
