import { type Document, isAlias, isMap, isScalar, isSeq, type Pair, type YAMLMap, type YAMLSeq } from "yaml";
import type { Json, JsonObject } from "../contract/json.js";
import { align, sameThings } from "./align.js";
import { equal, isObject } from "./equal.js";
import { columnOf, isFirst, lineEnd, lineStart, withComments } from "./line-of.js";
import { inlineOf, type YamlStyle, yamlOf } from "./write-yaml.js";
import {
  childOf,
  isCollectionInLine,
  isEmpty,
  isNothing,
  keyEnd,
  scalarOf,
  startOf,
  valueNode,
  type YamlValue,
} from "./yaml-node.js";

/** A stretch of a text, and what stands there instead. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** Where a value stands: after a key, after a dash, or within `{ }` or `[ ]`. */
type Place = { of: "pair"; pair: Pair } | { of: "item"; dash: number } | { of: "flow" };

export interface YamlEditsOptions {
  style: YamlStyle;
  /** Write out what aliases and `<<` repeat, so that each place can be changed by itself. */
  expand: boolean;
}

/**
 * The least edits by which a parsed YAML text says something else. Knows what people write; whoever uses it looks whether the new text
 * says what it should, as there is more in YAML than that.
 */
export class YamlEdits {
  private readonly edits: Edit[] = [];

  constructor(
    private readonly text: string,
    private readonly document: Document,
    private readonly options: YamlEditsOptions,
  ) {}

  /** In the order of the text. Null where it cannot be done. */
  of(value: JsonObject): Edit[] | null {
    const root = this.document.contents;
    if (!isMap(root) || Object.keys(value).length === 0) return null;
    if (root.flow) this.value(root, value, { of: "flow" });
    else if (!this.map(root, value)) return null;
    return this.edits.sort((a, b) => a.start - b.start);
  }

  private value(node: YamlValue, value: Json, place: Place): void {
    if (isAlias(node)) {
      if (this.options.expand || !equal(this.json(node), value)) this.replace(node, value, place);
    } else if (!this.within(node, value) && !equal(this.json(node), value)) {
      this.replace(node, value, place);
    }
  }

  /** Change what lies inside of a list or map; false when the whole is to be replaced, or it is neither. */
  private within(node: YamlValue, value: Json): boolean {
    if (isMap(node) && isObject(value)) return node.flow ? this.flowMap(node, value) : this.map(node, value);
    if (isSeq(node) && Array.isArray(value)) return node.flow ? this.flowList(node, value) : this.list(node, value);
    return false;
  }

  private map(node: YAMLMap, value: JsonObject): boolean {
    const pairs = node.items.map((pair) => ({ pair, key: this.keyOf(pair), stays: this.stays(pair, value) }));
    if (!pairs.some(({ stays }) => stays)) return false;
    const last = new Map<string, Pair>();
    for (const [i, { pair, key, stays }] of pairs.entries()) {
      const next = pairs[i + 1];
      const child = childOf(pair);
      if (!stays) this.remove(startOf(pair), this.end(pair), next?.stays ? startOf(next.pair) : undefined);
      else if (child && !this.isMerge(pair)) this.value(child, value[key] ?? null, { of: "pair", pair });
      if (stays) last.set(key, pair);
    }
    const column = columnOf(this.text, startOf(pairs[0]?.pair));
    const merged = this.options.expand ? {} : this.mergedInto(node);
    let after = [...last.values()].at(-1);
    for (const [key, item] of Object.entries(value)) {
      const own = last.get(key);
      if (own) after = own;
      else if (after && !(Object.hasOwn(merged, key) && equal(merged[key], item))) {
        const at = lineEnd(this.text, this.end(after));
        this.insert(at, `\n${" ".repeat(column)}${this.block({ [key]: item }, column)}`);
      }
    }
    return true;
  }

  private list(node: YAMLSeq, value: Json[]): boolean {
    const items = node.items.map(valueNode);
    const old = items.map((item) => this.json(item));
    const aligned = align(old, value);
    if (aligned.every((place) => place === null)) return false;
    const column = columnOf(this.text, node.range?.[0] ?? 0);
    const dashes = items.map((item) => this.dashOf(item, column));
    const stays = new Set(aligned);
    const moved = sameThings(old, value);
    for (const [i, item] of items.entries()) {
      const next = stays.has(i + 1) ? dashes[i + 1] : undefined;
      if (!stays.has(i)) this.remove(dashes[i] ?? 0, this.endOfItem(item, dashes[i] ?? 0), next);
    }
    let after: number | undefined;
    for (const [i, item] of value.entries()) {
      const place = aligned[i];
      if (place !== null && place !== undefined) {
        after = place;
        const child = items[place];
        if (child) this.value(child, item, { of: "item", dash: dashes[place] ?? 0 });
        continue;
      }
      const from = moved[i];
      const isMoved = from !== null && from !== undefined && !stays.has(from) && !this.options.expand && equal(old[from], item);
      const text = isMoved ? this.whole(dashes[from] ?? 0, items[from]) : this.block([item], column);
      if (after !== undefined) {
        this.insert(lineEnd(this.text, this.endOfItem(items[after], dashes[after] ?? 0)), `\n${" ".repeat(column)}${text}`);
      } else {
        const first = dashes[aligned.find((each) => each !== null) ?? 0] ?? 0;
        const start = isFirst(this.text, first) ? withComments(this.text, first) : first;
        this.insert(start, start === first ? `${text}\n${" ".repeat(column)}` : `${" ".repeat(column)}${text}\n`);
      }
    }
    return true;
  }

  private flowMap(node: YAMLMap, value: JsonObject): boolean {
    const keys = node.items.map((pair) => this.keyOf(pair));
    const children = node.items.map(childOf);
    const isSame = keys.length === Object.keys(value).length && keys.every((key) => Object.hasOwn(value, key));
    if (!isSame || keys.length === 0 || children.some((child) => !child || isEmpty(child))) return false;
    for (const [i, key] of keys.entries()) {
      const child = children[i];
      if (child) this.value(child, value[key] ?? null, { of: "flow" });
    }
    return true;
  }

  private flowList(node: YAMLSeq, value: Json[]): boolean {
    const children = node.items.map(valueNode);
    if (children.length !== value.length || children.length === 0 || children.some((child) => !child || isEmpty(child)))
      return false;
    for (const [i, child] of children.entries()) if (child) this.value(child, value[i] ?? null, { of: "flow" });
    return true;
  }

  private replace(node: YamlValue, value: Json, place: Place): void {
    const quotes = isScalar(node) ? node.type : undefined;
    const start = node.range?.[0] ?? 0;
    const within = place.of === "flow";
    const padded = within || (isMap(node) || isSeq(node) ? this.text[start + 1] === " " : true);
    const isPlain = value === null || typeof value !== "object" || isCollectionInLine(node) || within || isNothing(value);
    const inline = isPlain ? inlineOf(value, { within, padded, quotes }) : null;
    const end = this.end(node);
    if (inline !== null && place.of === "pair" && isEmpty(node)) {
      this.insert(this.afterColon(place.pair), ` ${inline}`);
    } else if (inline !== null && (within || this.isOneLine(node, place))) {
      this.edits.push({ start, end, text: inline });
    } else if (place.of === "pair") {
      const key = startOf(place.pair);
      const written = this.text.slice(key, keyEnd(place.pair));
      this.rewrite(key, end, written + this.block({ k: value }, columnOf(this.text, key)).slice(1));
    } else if (place.of === "item") {
      this.rewrite(place.dash, end, this.block([value], columnOf(this.text, place.dash)));
    }
  }

  /** Put a block in the place of one, with the comment that ends its line after the new one's first. */
  private rewrite(start: number, end: number, text: string): void {
    const behind = lineEnd(this.text, end);
    const rest = this.text.slice(end, behind);
    const [first = "", ...more] = text.split("\n");
    if (more.length === 0 || !/^[ \t]+#/.test(rest)) this.edits.push({ start, end, text });
    else this.edits.push({ start, end: behind, text: [first + rest, ...more].join("\n") });
  }

  /** @param next where the pair or item after it begins, when that one stays */
  private remove(start: number, end: number, next: number | undefined): void {
    const behind = lineEnd(this.text, end);
    if (isFirst(this.text, start)) {
      this.edits.push({ start: withComments(this.text, start), end: Math.min(behind + 1, this.text.length), text: "" });
      return;
    }
    const isNextLine = next !== undefined && this.text.slice(behind, next).trim() === "";
    const before = start - (/ *$/.exec(this.text.slice(lineStart(this.text, start), start))?.[0].length ?? 0);
    this.edits.push(isNextLine ? { start, end: next, text: "" } : { start: before, end: behind, text: "" });
  }

  private insert(at: number, text: string): void {
    this.edits.push({ start: at, end: at, text });
  }

  /** As a block that begins in this column, without the spaces of its first line and without the last line break. */
  private block(value: Json, column: number): string {
    const lines = yamlOf(value, this.options.style).replace(/\n$/, "").split("\n");
    return lines.map((line, i) => (i === 0 || line === "" ? line : " ".repeat(column) + line)).join("\n");
  }

  /** An item as it is written, with the comments above and beside it. */
  private whole(dash: number, item: YamlValue | undefined): string {
    const start = isFirst(this.text, dash) ? withComments(this.text, dash) : dash;
    return this.text.slice(start, lineEnd(this.text, this.endOfItem(item, dash))).trimStart();
  }

  private stays(pair: Pair, value: JsonObject): boolean {
    return this.isMerge(pair) ? !this.options.expand : Object.hasOwn(value, this.keyOf(pair));
  }

  private isMerge({ key }: Pair): boolean {
    return isScalar(key) && key.value === "<<" && key.type === "PLAIN";
  }

  private keyOf({ key }: Pair): string {
    if (isAlias(key)) return String(this.json(key));
    if (!isScalar(key)) return "";
    return typeof key.value === "string" ? key.value : this.text.slice(key.range?.[0], key.range?.[1]);
  }

  /** What a value says, with all that it repeats. */
  private json(node: YamlValue | undefined): Json {
    if (!node) return null;
    if (isAlias(node)) return this.json(valueNode(node.resolve(this.document)));
    if (isSeq(node)) return node.items.map((item) => this.json(valueNode(item)));
    if (!isMap(node)) return scalarOf(node);
    const own = node.items.filter((pair) => !this.isMerge(pair));
    return { ...this.mergedInto(node), ...Object.fromEntries(own.map((pair) => [this.keyOf(pair), this.json(childOf(pair))])) };
  }

  private mergedInto(node: YAMLMap): JsonObject {
    const merges = node.items.filter((pair) => this.isMerge(pair)).map((pair) => this.json(childOf(pair)));
    const maps = merges.flatMap((merged) => (Array.isArray(merged) ? merged : [merged])).filter(isObject);
    return Object.assign({}, ...maps.reverse());
  }

  /** Where a pair or value ends, without the line breaks and comments behind it. */
  private end(node: YamlValue | Pair | undefined): number {
    if (!node) return 0;
    if ("key" in node) {
      const value = childOf(node);
      return !value || isEmpty(value) ? this.afterColon(node) : this.end(value);
    }
    if (isMap(node) && !node.flow && node.items.length > 0) return this.end(node.items.at(-1));
    const last = isSeq(node) && !node.flow ? valueNode(node.items.at(-1)) : undefined;
    if (isSeq(node) && last && !isEmpty(last)) return this.end(last);
    let end = node.range?.[1] ?? 0;
    if (isScalar(node) && /^[|>]\d?\+/.test(this.text.slice(node.range?.[0], end))) return end - 1; // all its line breaks count
    while (end > (node.range?.[0] ?? 0) && /\s/.test(this.text[end - 1] ?? "")) end--;
    return end;
  }

  private endOfItem(item: YamlValue | undefined, dash: number): number {
    return item && !isEmpty(item) ? this.end(item) : dash + 1;
  }

  private afterColon(pair: Pair): number {
    const key = keyEnd(pair);
    const colon = this.text.indexOf(":", key);
    return colon === -1 ? key : colon + 1;
  }

  /** The dash of a list's item; those of one list stand in one column. */
  private dashOf(item: YamlValue | undefined, column: number): number {
    let at = item?.range?.[0] ?? 0;
    for (let line = lineStart(this.text, at); ; line = lineStart(this.text, at)) {
      const dash = line + column;
      if (this.text[dash] === "-" && dash <= (item?.range?.[0] ?? 0) && /^[ -]*$/.test(this.text.slice(line, dash))) return dash;
      if (line === 0) return item?.range?.[0] ?? 0;
      at = line - 1;
    }
  }

  private isOneLine(node: YamlValue, place: Place): boolean {
    if (place.of === "item") return !isEmpty(node) && !this.text.slice(place.dash, this.end(node)).includes("\n");
    return place.of === "pair" && !this.text.slice(startOf(place.pair), this.end(node)).includes("\n");
  }
}
