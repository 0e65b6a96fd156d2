import type { Json } from "../contract/json.js";

/** Where something stands: its path in the definition, and line and column from 1. */
export interface Place {
  path: string;
  line: number;
  column: number;
}

export interface Scalar extends Place {
  kind: "scalar";
  value: string | number | boolean | null;
  /** As the author wrote it, quotes and block marks included. */
  raw: string;
}

export interface List extends Place {
  kind: "list";
  items: Node[];
}

export interface Entry {
  key: string;
  /** Of the key; its path is the value's. */
  at: Place;
  value: Node;
}

export interface Mapping extends Place {
  kind: "map";
  /** In the author's order, each key once. */
  entries: Entry[];
}

/** A value of a definition file that knows its place. */
export type Node = Scalar | List | Mapping;

/** The value alone. Keys such as `__proto__` become own properties like any other. */
export function toJson(node: Node): Json {
  if (node.kind === "list") return node.items.map(toJson);
  if (node.kind === "map") return Object.fromEntries(node.entries.map(({ key, value }) => [key, toJson(value)]));
  return node.value;
}

/** The path of what lies at this key or index: `steps[2].prompt`, `stageConfigs["a b"]`. */
export function below(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  if (!/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** The place of what may be much more, to be handed to another process. */
export function placeAlone({ path, line, column }: Place): Place {
  return { path, line, column };
}

/** How a value is called in a sentence: `a list`, `the number 3`. */
export function shown(node: Node): string {
  if (node.kind !== "scalar") return node.kind === "list" ? "a list" : "a map";
  if (node.value === null) return "empty";
  if (typeof node.value !== "string") return `the ${typeof node.value} ${node.raw}`;
  return `the text ${JSON.stringify(node.value.length > 40 ? `${node.value.slice(0, 39)}…` : node.value)}`;
}
