import { type Alias, isAlias, isMap, isScalar, isSeq, type Pair, type Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import type { Json } from "../contract/json.js";

/** What a parsed YAML text is made of: the library types what a list or map holds as unknown. */
export type YamlValue = Alias | Scalar | YAMLMap | YAMLSeq;

export function scalarOf({ value }: Scalar): Json {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}

export function valueNode(node: unknown): YamlValue | undefined {
  return isAlias(node) || isScalar(node) || isMap(node) || isSeq(node) ? node : undefined;
}

export function childOf(pair: Pair): YamlValue | undefined {
  return valueNode(pair.value);
}

export function startOf(pair: Pair | undefined): number {
  return valueNode(pair?.key)?.range?.[0] ?? 0;
}

export function keyEnd(pair: Pair): number {
  return valueNode(pair.key)?.range?.[1] ?? 0;
}

/** Whether nothing is written there. */
export function isEmpty(node: YamlValue): boolean {
  return isScalar(node) && node.range?.[0] === node.range?.[1];
}

export function isCollectionInLine(node: YamlValue): boolean {
  return (isMap(node) || isSeq(node)) && node.flow === true;
}

/** Of lists and maps. */
export function isNothing(value: Json): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
