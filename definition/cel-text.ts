import type { Ref } from "../contract/plan.js";
import type { Path } from "./path.js";

/** Names that stand for types, where nothing else is called so. */
export const TYPES: ReadonlySet<string> = new Set([
  "int",
  "uint",
  "double",
  "bool",
  "string",
  "bytes",
  "list",
  "map",
  "null_type",
  "type",
]);

const ROOTS: ReadonlySet<string> = new Set(["input", "context", "steps", "vars", "run", "item", "index"]);
/** Words that are no names. */
export const RESERVED: ReadonlySet<string> = new Set(
  "as break const continue else false for function if import in let loop namespace null package return true var void while".split(
    " ",
  ),
);

/** What a chain of names in an expression refers to. `_["a-b"]` is the bare name `a-b`, which CEL could not write otherwise. */
export function refOfChain([first, ...rest]: Path): Ref {
  if (first === "_" && rest.length > 0) return ["name", ...rest];
  return isRoot(first) ? [first, ...rest] : ["name", first ?? "", ...rest];
}

/** A reference as CEL writes it; `refOfChain` gives it back. */
export function celOfRef([root, ...path]: Ref): string {
  if (root !== "name") return celOfPath([root, ...path]);
  const first = String(path[0]);
  return ROOTS.has(first) || TYPES.has(first) || first === "_" ? celOfPath(["_", ...path]) : celOfPath(path);
}

/** A path as CEL writes it. */
export function celOfPath(path: Path): string {
  const [first = "", ...rest] = path;
  if (!isIdentifier(first)) return celOfPath(["_", ...path]);
  return first + rest.map((part) => (isIdentifier(part) ? `.${part}` : `[${JSON.stringify(part)}]`)).join("");
}

function isIdentifier(part: string | number): part is string {
  return typeof part === "string" && /^[A-Za-z_]\w*$/.test(part) && !RESERVED.has(part);
}

function isRoot(name: string | number | undefined): name is Exclude<Ref[0], "name"> {
  return ROOTS.has(String(name));
}
