import {
  type Alias,
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type Scalar,
  type YAMLMap,
  type YAMLParseError,
  type YAMLSeq,
} from "yaml";
import { MAX_ALIASED, MAX_DEPTH, MAX_LEXEMES, MAX_NODES } from "./limits.js";
import type { Lines } from "./lines.js";
import { below, type Entry, type Node, type Place } from "./node.js";
import { type Problems, Unreadable } from "./problems.js";
import { scalarProblem } from "./scalar.js";
import { TextList, TextMap, TextPlace, TextScalar } from "./text-node.js";

/**
 * Read one document of YAML 1.2, core schema, with the place of every value. `yes`, `no` and `on` are texts. Anchors, aliases and
 * merge keys (`<<`) are written out, within the limits; tags other than the core schema's own are refused.
 *
 * @throws {Unreadable} where nothing more can be understood.
 */
export function readYaml(text: string, lines: Lines, problems: Problems): Node {
  const documents = new Composer({ version: "1.2", uniqueKeys: false, resolveKnownTags: false }).compose(tokens(text));
  const document = documents.next().value;
  if (!document) throw new Unreadable(0, "The file is empty. Write a definition with a name and steps.");
  const another = documents.next().value;
  if (another)
    throw new Unreadable(another.range[0], "The file holds several documents. Keep each definition in a file of its own.");
  reportErrors(document.errors, text, lines, problems);
  if (problems.some) return { kind: "scalar", path: "", line: 1, column: 1, value: null, raw: "" };
  const { explicit, version } = document.directives.yaml;
  if (explicit && version !== "1.2")
    throw new Unreadable(0, `YAML ${version} reads some words otherwise. Take the %YAML line away.`);
  return new YamlReader(text, lines, problems).node(nodeOf(document.contents), new TextPlace(lines, 0), 0);
}

/** The text in tokens. Ends before it costs anything when they are too many, or nest so deep that the library's recursion would. */
function* tokens(text: string) {
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes > MAX_LEXEMES)
      throw new Unreadable(parser.offset, "From here on the file is too much to read. Keep data in files of its own.");
    for (const token of parser.next(lexeme)) yield token;
    if (parser.stack.length > MAX_DEPTH + 10) tooDeep(Math.min(parser.offset, text.length));
  }
  yield* parser.end();
}

function tooDeep(offset: number): never {
  throw new Unreadable(offset, `There are more than ${MAX_DEPTH} lists and maps within one another. Write it flatter.`);
}

/** What the library has found; where a value begins with `{{`, that alone, which is what its errors come of. */
function reportErrors(errors: readonly YAMLParseError[], text: string, lines: Lines, problems: Problems): void {
  const told = new Set<number>();
  for (const { pos, code, message } of errors) {
    const place = lines.at(pos[0]);
    const start = pos[0] - place.column + 1;
    const bare = /(?<=[:[,-]\s*)\{\{/.exec(text.slice(start, pos[0] + 1));
    if (bare && !told.has(place.line)) problems.add({ path: "", line: place.line, column: bare.index + 1 }, NEEDS_QUOTES);
    if (!bare) problems.add({ path: "", ...place }, sentence(code, message));
    else told.add(place.line);
  }
}

const NEEDS_QUOTES = 'A value that begins with {{ needs quotes, as { begins a map in YAML: "{{ … }}".';

/** The library's words for the two mistakes that people make most are none of theirs. */
function sentence(code: string, message: string): string {
  if (code === "TAB_AS_INDENT") return "YAML does not indent by tabs. Use spaces.";
  if (code === "MULTIPLE_DOCS") return "The file holds several documents. Keep each definition in a file of its own.";
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

class YamlReader {
  private nodes = 0;
  private aliased = 0;
  /** Aliases within one another that are being written out. */
  private repeating = 0;
  private readonly anchors = new Map<string, YamlNode>();
  /** What each alias stands for, settled where it stands: a later anchor may have the same name. */
  private readonly targets = new Map<Alias, YamlNode>();
  /** Lists and maps being read: an alias to one of them would have no end. */
  private readonly open = new Set<YamlNode>();

  constructor(
    private readonly text: string,
    private readonly lines: Lines,
    private readonly problems: Problems,
  ) {}

  /** @param near of its path, and where it would stand if it is left out. */
  node(node: YamlNode, near: Place, depth: number): Node {
    if (isAlias(node)) return this.repeated(node, near, depth);
    const offset = node?.range?.[0];
    if (depth > MAX_DEPTH) tooDeep(offset ?? 0);
    if (++this.nodes > MAX_NODES)
      throw new Unreadable(offset ?? 0, `The file holds more than ${MAX_NODES} values. Keep data in files of its own.`);
    if (this.repeating > 0 && ++this.aliased > MAX_ALIASED) {
      throw new Unreadable(offset ?? 0, `The aliases of this file repeat more than ${MAX_ALIASED} values. Use fewer of them.`);
    }
    const place = offset === undefined ? near : this.place(offset, near);
    if (!node) return new TextScalar(place, null, "");
    if (node.anchor && this.repeating === 0) this.anchors.set(node.anchor, node);
    this.checkTag(node.tag, place);
    if (isScalar(node)) return this.scalar(node, place);

    this.open.add(node);
    const read = isMap(node)
      ? new TextMap(place, this.entries(node, place, depth))
      : new TextList(place, this.items(node, place, depth));
    this.open.delete(node);
    return read;
  }

  /** What an alias stands for, written out. */
  private repeated(alias: Alias, near: Place, depth: number): Node {
    this.repeating++;
    const node = this.node(this.target(alias), near, depth);
    this.repeating--;
    return node;
  }

  private scalar(node: Scalar, place: Place): Node {
    const raw = this.text.slice(node.range?.[0], node.range?.[1]);
    const { value } = node;
    if (value !== null && typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
      throw new Unreadable(node.range?.[0] ?? 0, `${raw} is no text, number or boolean. Put it in quotes.`, place.path);
    }
    const problem = scalarProblem(value, raw);
    if (problem) this.problems.add(place, problem);
    return new TextScalar(place, value, raw);
  }

  private items(list: YAMLSeq, at: Place, depth: number): Node[] {
    const start = list.range?.[0] ?? 0;
    return list.items.map((item, i) => this.node(nodeOf(item), this.place(start, at, i), depth + 1));
  }

  private entries(map: YAMLMap, mapAt: Place, depth: number): Entry[] {
    const entries = new Map<string, Entry>();
    const merged: Entry[] = [];
    for (const pair of map.items) {
      const keyNode = nodeOf(pair.key);
      const start = keyNode?.range?.[0] ?? map.range?.[0] ?? 0;
      const keyAt = this.place(start, mapAt);
      const key = this.key(keyNode, keyAt);
      const at = this.place(start, mapAt, key);
      if (key === "<<" && isScalar(keyNode) && keyNode.type === "PLAIN") {
        merged.push(...this.merged(nodeOf(pair.value), at, keyAt, depth));
        continue;
      }
      const first = entries.get(key);
      if (first)
        this.problems.add(at, `The key "${key}" is here a second time; the first is in line ${first.at.line}. Keep one.`);
      const value = this.node(nodeOf(pair.value), at, depth + 1);
      if (!first) entries.set(key, { key, at, value });
    }
    for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    return [...entries.values()];
  }

  private key(node: YamlNode, at: Place): string {
    const target = isAlias(node) ? this.target(node) : node;
    if (!isScalar(target) || target.value === null) {
      const offset = target?.range?.[0] ?? 0;
      const isReference = isMap(target) && this.text.slice(offset - 1, offset + 1) === "{{";
      this.problems.add(at, isReference ? NEEDS_QUOTES : "A key is a text. Lists, maps and nothing cannot be keys.");
      return "";
    }
    if (target.anchor) this.anchors.set(target.anchor, target);
    this.checkTag(target.tag, at);
    const key = typeof target.value === "string" ? target.value : this.text.slice(target.range?.[0], target.range?.[1]);
    const problem = scalarProblem(key, key);
    if (problem) this.problems.add(at, problem);
    return key;
  }

  /** What `<<` brings: the entries of a map, or of each map of a list, the earlier ones first. */
  private merged(node: YamlNode, at: Place, keyAt: Place, depth: number): Entry[] {
    const value = this.node(node, keyAt, depth);
    const maps = value.kind === "list" ? value.items : [value];
    const { path } = keyAt;
    return maps.flatMap((map) => {
      if (map.kind === "map")
        return map.entries.map(({ key, at: { line, column }, value }) => ({
          key,
          at: { path: below(path, key), line, column },
          value,
        }));
      this.problems.add(at, "<< takes a map, or a list of maps.");
      return [];
    });
  }

  private place(offset: number, within: Place, key?: string | number): Place {
    return new TextPlace(this.lines, offset, within, key);
  }

  private target(alias: Alias): YamlNode {
    const target = this.targets.get(alias) ?? this.anchors.get(alias.source);
    const offset = alias.range?.[0] ?? 0;
    if (!target) throw new Unreadable(offset, `No value before this one has the anchor &${alias.source}.`);
    if (this.open.has(target))
      throw new Unreadable(offset, `*${alias.source} stands inside of what it repeats. It would have no end.`);
    this.targets.set(alias, target);
    return target;
  }

  private checkTag(tag: string | undefined, at: Place): void {
    if (tag === undefined || tag === "!" || /^tag:yaml\.org,2002:(?:str|int|float|bool|null|map|seq)$/.test(tag)) return;
    const written = tag.replace("tag:yaml.org,2002:", "!!").slice(0, 60);
    this.problems.add(at, `The tag ${written} is not known here. Take it away, and write the value plainly.`);
  }
}

type YamlNode = Alias | Scalar | YAMLMap | YAMLSeq | null;

/** The library types what a parsed list or map holds as unknown. */
function nodeOf(item: unknown): YamlNode {
  return isAlias(item) || isScalar(item) || isMap(item) || isSeq(item) ? item : null;
}
