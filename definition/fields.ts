import { LONGEST_MS } from "../contract/duration.js";
import type { Json } from "../contract/json.js";
import type { Chosen, Condition, Value } from "../contract/plan.js";
import { parseCondition } from "./condition.js";
import { durationMs } from "./duration.js";
import { didYouMean } from "./nearest.js";
import { below, type Entry, type Mapping, type Node, type Place, type Scalar, shown, toJson } from "./node.js";
import type { Problems } from "./problems.js";
import { parseTemplate, parseValue, type TemplateOptions } from "./template.js";
import { placeIn } from "./text-place.js";

/** What the reading of one definition shares. */
export interface Reading {
  problems: Problems;
  /** How references are written, and what they mean. */
  references: TemplateOptions;
}

export interface TextRule {
  /** What the text must match, and how to say it: `letters, digits and dashes`. */
  pattern?: { matches: RegExp; words: string };
  /** Most characters. @default 200_000 */
  max?: number;
}

export interface NumberRule {
  min?: number;
  max?: number;
}

/** The fields of what should be a map; when it is none, that is reported and nothing comes back. */
export function fieldsOf(node: Node, reading: Reading, what: string): Fields | undefined {
  if (node.kind === "map") return new Fields(node, reading, what);
  reading.problems.add(node, `Here ${what} must be, a map of keys and values, not ${shown(node)}.`);
  return undefined;
}

/**
 * The fields of a map, read one by one. What is wrong is collected in `problems`, not thrown, and reads as if it were left out: of a
 * definition with problems no plan is made. A field with nothing in it (`null`) is left out, too.
 *
 * Each key asked for is a known one; `rest()` reports the others.
 *
 * ```ts
 * const step = new Fields(node, reading, "a step");
 * const key = step.text(step.need("key"), { max: 100 });
 * const needs = step.texts(step.either("dependencies", "dependsOn")) ?? [];
 * const prompt = step.template(step.need("prompt"));
 * step.rest();
 * ```
 */
export class Fields {
  private readonly entries: Map<string, Entry>;
  private readonly known = new Set<string>();

  /** @param what the map is, for sentences: `a step`. */
  constructor(
    readonly node: Mapping,
    readonly reading: Reading,
    readonly what: string,
  ) {
    this.entries = new Map(node.entries.map((entry) => [entry.key, entry]));
  }

  /** Whether there is something at this key. Does not make the key a known one. */
  has(key: string): boolean {
    const value = this.entries.get(key)?.value;
    return value !== undefined && !isNull(value);
  }

  /** Says so when there is nothing at this key. Gives the key back, to be read. */
  need(key: string): string {
    if (!this.has(key)) this.reading.problems.add(this.place(key), `"${key}" is missing in ${this.what}.`);
    return key;
  }

  /** Of several spellings of one key the one that is there, else the first. Two of them are a problem. */
  either(...keys: [string, ...string[]]): string {
    for (const key of keys) this.known.add(key);
    const [there, another] = keys.filter((key) => this.has(key));
    if (there && another) this.problem(another, `"${there}" and "${another}" say the same. Keep one of them.`);
    return there ?? keys[0];
  }

  /** The value at a key as it was read. */
  value(key: string): Node | undefined {
    this.known.add(key);
    const value = this.entries.get(key)?.value;
    return value && !isNull(value) ? value : undefined;
  }

  /** Where the value at a key is, or would be. */
  place(key: string): Place {
    const entry = this.entries.get(key);
    if (!entry) return { path: below(this.node.path, key), line: this.node.line, column: this.node.column };
    return isNull(entry.value) ? entry.at : entry.value;
  }

  /** Reports a problem with the value at a key. */
  problem(key: string, message: string): void {
    this.reading.problems.add(this.place(key), message);
  }

  /** A text with something in it. */
  text(key: string, rule: TextRule = {}): string | undefined {
    const node = this.scalar(key, "a text");
    return node && this.textOf(node, `"${key}"`, rule);
  }

  /** A list of texts. */
  texts(key: string, rule: TextRule = {}): string[] | undefined {
    return this.list(key)?.flatMap((node) => {
      const text =
        node.kind === "scalar" ? this.textOf(node, `Each of "${key}"`, rule) : this.wrong(node, `Each of "${key}"`, "a text");
      return text === undefined ? [] : [text];
    });
  }

  boolean(key: string): boolean | undefined {
    const node = this.scalar(key, "true or false");
    if (!node || typeof node.value === "boolean") return node?.value === undefined ? undefined : node.value === true;
    return this.wrong(node, `"${key}"`, "true or false");
  }

  number(key: string, rule: NumberRule = {}): number | undefined {
    const node = this.scalar(key, "a number");
    if (!node) return undefined;
    if (typeof node.value !== "number") return this.wrong(node, `"${key}"`, "a number");
    return this.within(node, key, node.value, rule) ? node.value : undefined;
  }

  /** A whole number. */
  int(key: string, rule: NumberRule = {}): number | undefined {
    const value = this.number(key, rule);
    if (value === undefined || Number.isInteger(value)) return value;
    this.problem(key, `"${key}" must be a whole number, not ${value}.`);
    return undefined;
  }

  /** One of some words. */
  oneOf<const Word extends string>(key: string, words: readonly Word[]): Word | undefined {
    const node = this.scalar(key, "a word");
    if (!node) return undefined;
    const word = words.find((one) => one === node.value);
    if (word !== undefined) return word;
    const meant = typeof node.value === "string" ? didYouMean(node.value, words) : "";
    return this.wrong(node, `"${key}"`, `one of ${words.join(", ")}`, meant);
  }

  /**
   * Milliseconds, from a number of them or a text such as `30s` and `2 hours`. A number under `leastNumber` is refused, as it
   * was most likely meant as seconds.
   */
  duration(key: string, { min = 0, leastNumber = 0 }: { min?: number; leastNumber?: number } = {}): number | undefined {
    const node = this.scalar(key, "a duration");
    if (!node) return undefined;
    const ms = typeof node.value === "string" || typeof node.value === "number" ? durationMs(node.value) : undefined;
    if (ms === undefined) return this.wrong(node, `"${key}"`, 'milliseconds, or a text such as "30s" or "2 hours"');
    if (typeof node.value === "number" && ms > 0 && ms < leastNumber) {
      this.reading.problems.add(
        node,
        `"${key}" is in milliseconds: ${ms} of them are ${ms / 1000} s. Write "${ms}s" or ${ms * 1000} for seconds.`,
      );
      return undefined;
    }
    if (ms > LONGEST_MS) return this.wrong(node, `"${key}"`, "at most ten years");
    return this.within(node, key, ms, { min }) ? ms : undefined;
  }

  list(key: string): Node[] | undefined {
    const node = this.value(key);
    if (!node || node.kind === "list") return node?.items;
    return this.wrong(node, `"${key}"`, "a list");
  }

  /** The fields of a map. */
  map(key: string, what = `"${key}"`): Fields | undefined {
    const node = this.value(key);
    return node && fieldsOf(node, this.reading, what);
  }

  /** Keys and values of a map whose keys are the author's own. */
  own(key: string): Entry[] | undefined {
    const node = this.value(key);
    if (!node || node.kind === "map") return node?.entries;
    return this.wrong(node, `"${key}"`, "a map");
  }

  /** Any value. */
  json(key: string): Json | undefined {
    const node = this.value(key);
    return node && toJson(node);
  }

  /** A text in which references may stand. */
  template(key: string, rule: TextRule = {}): Value | undefined {
    const node = this.value(key);
    if (this.text(key, rule) === undefined || node?.kind !== "scalar") return undefined;
    const { references, problems } = this.reading;
    const parsed = parseTemplate(String(node.value), references);
    for (const { message, offset } of parsed.problems) problems.add(placeIn(node, offset, references.marks), message);
    return parsed.value;
  }

  /** A text, or a template that gives one when the step begins. */
  chosen(key: string, rule: TextRule = {}): Chosen | undefined {
    const value = this.template(key, rule);
    return value && "literal" in value ? String(value.literal) : value;
  }

  /** Any value, in whose texts references may stand. */
  anyValue(key: string): Value | undefined {
    const node = this.value(key);
    if (!node) return undefined;
    const { references, problems } = this.reading;
    const parsed = parseValue(toJson(node), references);
    for (const { message, offset, path } of parsed.problems) {
      const text = path.reduce<Node>((from, part) => childOf(from, part) ?? from, node);
      problems.add(text.kind === "scalar" ? placeIn(text, offset, references.marks) : text, message);
    }
    return parsed.value;
  }

  /** A reference, an expression, true or false. */
  condition(key: string): Condition | undefined {
    const node = this.scalar(key, "a condition");
    if (!node) return undefined;
    if (typeof node.value !== "boolean" && this.text(key, { max: 2000 }) === undefined) return undefined;
    const { references, problems } = this.reading;
    const { condition, problems: found } = parseCondition(
      typeof node.value === "boolean" ? node.value : String(node.value),
      references,
    );
    for (const { message, offset } of found) problems.add(placeIn(node, offset, references.marks), message);
    return condition;
  }

  /** Each key that nobody asked for is a problem, with the known one that was probably meant. */
  rest(): void {
    for (const { key, at } of this.entries.values()) {
      if (this.known.has(key)) continue;
      const meant = didYouMean(
        key,
        [...this.known].filter((known) => !this.entries.has(known)),
      );
      this.reading.problems.add(
        at,
        `Unknown key "${key}" in ${this.what}.${meant || ` Known are ${[...this.known].join(", ")}.`}`,
      );
    }
  }

  private scalar(key: string, kind: string): Scalar | undefined {
    const node = this.value(key);
    if (!node || node.kind === "scalar") return node;
    return this.wrong(node, `"${key}"`, kind);
  }

  private textOf(node: Scalar, name: string, { pattern, max = 200_000 }: TextRule): string | undefined {
    const { value } = node;
    if (typeof value !== "string")
      return this.wrong(node, name, "a text", value === null ? "" : ` Put it in quotes: "${node.raw}".`);
    if (value.trim() === "") return this.wrong(node, name, "a text with something in it");
    if (value.length > max) return this.wrong(node, name, `a text of at most ${max} characters`, "", `one of ${value.length}`);
    if (pattern && !pattern.matches.test(value)) return this.wrong(node, name, `made of ${pattern.words}`);
    return value;
  }

  private within(
    node: Place,
    key: string,
    value: number,
    { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: NumberRule,
  ) {
    if (value >= min && value <= max) return true;
    const bound = value < min ? `at least ${min}` : `at most ${max}`;
    this.reading.problems.add(node, `"${key}" must be ${bound}, not ${value}.`);
    return false;
  }

  private wrong(node: Node, name: string, expected: string, hint = "", instead = shown(node)): undefined {
    this.reading.problems.add(node, `${name} must be ${expected}, not ${instead}.${hint}`);
  }
}

function childOf(node: Node, part: string | number): Node | undefined {
  if (node.kind === "list") return node.items[Number(part)];
  return node.kind === "map" ? node.entries.find(({ key }) => key === part)?.value : undefined;
}

function isNull(node: Node): boolean {
  return node.kind === "scalar" && node.value === null;
}
