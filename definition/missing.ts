import type { Json } from "../contract/json.js";
import type { Ref } from "../contract/plan.js";
import { didYouMean } from "./nearest.js";
import { showPath } from "./path.js";
import { find, homeOf, rootOf, type Scope } from "./scope.js";

/** How people write a reference: a bare name without the word `name`. */
export function showRef([root, ...path]: Ref): string {
  return showPath(root === "name" ? path : [root, ...path]);
}

/** A sentence about a reference that finds nothing: which part of it is missing, and what was perhaps meant. */
export function missing(ref: Ref, scope: Scope): string {
  const [root, ...path] = ref;
  const start = `"${showRef(ref)}" is not there`;
  if (root === "name" && (path[0] === undefined || homeOf(path[0], scope) === undefined)) {
    const names = scope.names.flatMap((each) => keysOf(rootOf(each, scope)));
    return `${start}: nothing is called "${path[0] ?? ""}"${where(scope)}.${perhaps(path[0], names)}`;
  }
  for (let length = path.length - 1; length >= 0; length--) {
    const holder: Ref = [root, ...path.slice(0, length)];
    const value = find(holder, scope);
    if (value === undefined && length > 0) continue;
    return `${start}: ${lack(showRef(holder), value, path[length])}.${perhaps(path[length], keysOf(value))}`;
  }
  return `${start}: there is no "${root}" here.`;
}

function lack(holder: string, value: Json | undefined, part: string | number | undefined): string {
  if (value === undefined) return `there is no "${holder}" here`;
  if (Array.isArray(value)) return `"${holder}" is a list of ${value.length}, and has no ${showPart(part)}`;
  if (typeof value === "object" && value !== null) return `"${holder}" has no ${showPart(part)}`;
  const kind =
    value === null ? "null" : typeof value === "string" ? "a text" : typeof value === "number" ? "a number" : String(value);
  return `"${holder}" is ${kind}, and has no ${showPart(part)}`;
}

function showPart(part: string | number | undefined): string {
  return typeof part === "number" ? `[${part}]` : `"${part ?? ""}"`;
}

function where({ names }: Scope): string {
  return names.length === 0 ? "" : ` in ${names.join(", ")}`;
}

function perhaps(part: string | number | undefined, names: readonly string[]): string {
  return typeof part === "string" ? didYouMean(part, names) : "";
}

function keysOf(value: Json | undefined): string[] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}
