import type { Mapping } from "./node.js";
import type { Path } from "./path.js";
import { elseKey, type Known, knownIn, type Naming, ROOTS, references } from "./references.js";
import type { TemplateOptions } from "./template.js";

/** Only `${ }` opens references. `${plan.text}` and `${stages.plan.text}` are the same. */
const NAMING: Naming = { marks: ["${"], aliases: { args: "input", stages: "steps" }, bare: "context" };

/** Keys at the top of a definition, beside which its stages may stand. */
const TOP = [
  ...["$schema", "dialect", "workflow", "id", "name", "description", "version", "author", "tags", "phases", "timeout", "input"],
  ...["argsSchema", "activities", "stages", "loop", "stageConfigs", "on_failure", "finally"],
];

/** What no stage can be called: it stands at the top of a definition, or begins references. */
export const RESERVED: ReadonlySet<string> = new Set([...TOP, ...ROOTS, "args", "iteration", "runId"]);

/**
 * How references are read. `vars` is what the run was started with: its input, over its context; and what stages have assigned.
 *
 * @param head where `stages` stands: the root, or its block `workflow`
 */
export function stageReferences(root: Mapping, head: Mapping): TemplateOptions {
  const known = knownStages(root, head);
  const { marks, toRef } = references(NAMING, known);
  return { marks, toRef: (path) => toRef(inCommonWords(path, known)) };
}

function inCommonWords(path: Path, { assigned }: Known): Path {
  const [first, second, ...rest] = path;
  if (first === "iteration") return ["run", ...path];
  if (first === "runId") return ["run", "id", ...path.slice(1)];
  if (first !== "vars" || (typeof second === "string" && assigned.has(second))) return path;
  return second === undefined ? ["context"] : ["context", second, ...rest];
}

function knownStages(root: Mapping, head: Mapping): Known {
  const known = knownIn(head, "key");
  const steps = new Set(known.steps);
  const assigned = new Set(known.assigned);
  for (const name of textsAt(head, "stages")) {
    steps.add(name);
    for (const block of [root, mapAt(head, "stageConfigs"), mapAt(root, "stageConfigs")].flatMap(
      (from) => mapAt(from, name) ?? [],
    )) {
      const other = mapAt(block, "else");
      if (other) steps.add(elseKey(name));
      for (const part of [block, other]) for (const text of textsAt(part, "assign")) assigned.add(text);
    }
  }
  return { ...known, steps, assigned };
}

function mapAt(from: Mapping | undefined, key: string): Mapping | undefined {
  const value = from?.entries.find((entry) => entry.key === key)?.value;
  return value?.kind === "map" ? value : undefined;
}

/** The text at a key, or the texts of the list that is there. */
function textsAt(from: Mapping | undefined, key: string): string[] {
  const value = from?.entries.find((entry) => entry.key === key)?.value;
  const nodes = value?.kind === "list" ? value.items : value ? [value] : [];
  return nodes.flatMap((node) => (node.kind === "scalar" && typeof node.value === "string" ? [node.value] : []));
}
