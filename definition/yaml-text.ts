import {
  EVENT_ALIAS,
  EVENT_DOCUMENT,
  EVENT_MAPPING,
  EVENT_POP,
  EVENT_SCALAR,
  EVENT_SEQUENCE,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE_PLAIN,
  type ScalarEvent,
  YAMLException,
} from "js-yaml";
import { MAX_ALIASED, MAX_DEPTH, MAX_NODES } from "./limits.js";
import type { Lines } from "./lines.js";
import { below, type Entry, type Node, type Place } from "./node.js";
import { type Problems, Unreadable } from "./problems.js";
import { scalarProblem } from "./scalar.js";
import { TextList, TextMap, TextPlace, TextScalar } from "./text-node.js";
import { addSyntaxErrors, NEEDS_QUOTES, SEVERAL_DOCUMENTS, tooDeep } from "./yaml-errors.js";
import { isQuoted, plainValue, startOfScalar } from "./yaml-scalar.js";

type Alias = Extract<Event, { type: typeof EVENT_ALIAS }>;
type Collection = Extract<Event, { type: typeof EVENT_MAPPING | typeof EVENT_SEQUENCE }>;

/**
 * Read one document of YAML 1.2, core schema, with the place of every value. `yes`, `no` and `on` are texts. Anchors, aliases and
 * merge keys (`<<`) are written out, within the limits; tags other than the core schema's own are refused.
 *
 * @throws {Unreadable} where nothing more can be understood.
 */
export function readYaml(text: string, lines: Lines, problems: Problems): Node {
  const events = eventsOf(text, lines, problems);
  if (problems.some) return { kind: "scalar", path: "", line: 1, column: 1, value: null, raw: "" };
  checkDocuments(events, text);
  return new YamlReader(events, text, lines, problems).node(new TextPlace(lines, 0), 0);
}

/** None when there are problems. */
function eventsOf(text: string, lines: Lines, problems: Problems): Event[] {
  try {
    return parseEvents(text, { maxDepth: MAX_DEPTH + 1 });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const offset = error.mark?.position ?? 0;
    if (error.reason.startsWith("nesting exceeded")) tooDeep(offset);
    addSyntaxErrors(text, lines, problems);
    if (!problems.some) problems.add({ path: "", ...lines.at(offset) }, `This is no YAML: ${error.reason}.`);
    return [];
  }
}

function checkDocuments(events: readonly Event[], text: string): void {
  const [document, another] = events.filter(({ type }) => type === EVENT_DOCUMENT);
  if (document?.type !== EVENT_DOCUMENT) throw new Unreadable(0, "The file is empty. Write a definition with a name and steps.");
  if (another) throw new Unreadable(Math.max(text.search(/(?<=\n)---(?!\S)/), 0), SEVERAL_DOCUMENTS);
  for (const directive of document.directives) {
    if (directive.kind === "tag") throw new Unreadable(0, "Tags of your own are not known here. Take the %TAG line away.");
    if (directive.version !== "1.2")
      throw new Unreadable(0, `YAML ${directive.version} reads some words otherwise. Take the %YAML line away.`);
  }
}

/** Reads the events of one document, which stand in the order of the text: each list and map is closed by an event of its own. */
class YamlReader {
  /** Of the next event; the first is the document's. */
  private next = 1;
  private nodes = 0;
  private aliased = 0;
  /** Aliases within one another that are being written out. */
  private repeating = 0;
  /** Where the event stands to which the anchor belongs. */
  private readonly anchors = new Map<string, number>();
  /** What each alias stands for, settled where it stands: a later anchor may have the same name. */
  private readonly targets = new Map<number, number>();
  /** Lists and maps being read: an alias to one of them would have no end. */
  private readonly open = new Set<number>();

  constructor(
    private readonly events: readonly Event[],
    private readonly text: string,
    private readonly lines: Lines,
    private readonly problems: Problems,
  ) {}

  /** @param near of its path, and where it would stand if it is left out. */
  node(near: Place, depth: number): Node {
    const index = this.next++;
    const event = this.event(index);
    if (event.type === EVENT_ALIAS) return this.repeated(index, event, near, depth);
    const offset = this.startOf(event);
    if (depth > MAX_DEPTH) tooDeep(offset ?? 0);
    if (++this.nodes > MAX_NODES)
      throw new Unreadable(offset ?? 0, `The file holds more than ${MAX_NODES} values. Keep data in files of its own.`);
    if (this.repeating > 0 && ++this.aliased > MAX_ALIASED) {
      throw new Unreadable(offset ?? 0, `The aliases of this file repeat more than ${MAX_ALIASED} values. Use fewer of them.`);
    }
    const place = offset === undefined ? near : this.place(offset, near);
    if (event.anchorStart >= 0 && this.repeating === 0) this.anchors.set(this.anchorOf(event), index);
    this.checkTag(event, place);
    if (event.type === EVENT_SCALAR) return this.scalar(event, place);

    this.open.add(index);
    const start = offset ?? 0;
    const read =
      event.type === EVENT_MAPPING
        ? new TextMap(place, this.entries(start, place, depth))
        : new TextList(place, this.items(start, place, depth));
    this.open.delete(index);
    this.next++;
    return read;
  }

  /** What an alias stands for, written out. */
  private repeated(index: number, alias: Alias, near: Place, depth: number): Node {
    const goOn = this.next;
    this.next = this.target(index, alias);
    this.repeating++;
    const node = this.node(near, depth);
    this.repeating--;
    this.next = goOn;
    return node;
  }

  private scalar(event: ScalarEvent, place: Place): Node {
    const raw = this.rawOf(event);
    const value = this.valueOf(event);
    const problem = scalarProblem(value, raw);
    if (problem) this.problems.add(place, problem);
    return new TextScalar(place, value, raw);
  }

  private items(start: number, at: Place, depth: number): Node[] {
    const items: Node[] = [];
    while (this.goesOn()) items.push(this.node(this.place(start, at, items.length), depth + 1));
    return items;
  }

  private entries(mapStart: number, mapAt: Place, depth: number): Entry[] {
    const entries = new Map<string, Entry>();
    const merged: Entry[] = [];
    while (this.goesOn()) {
      const event = this.event(this.next);
      const start = this.startOf(event) ?? mapStart;
      const keyAt = this.place(start, mapAt);
      const key = this.key(keyAt);
      const at = this.place(start, mapAt, key);
      if (key === "<<" && event.type === EVENT_SCALAR && event.style === SCALAR_STYLE_PLAIN) {
        merged.push(...this.merged(at, keyAt, depth));
        continue;
      }
      const first = entries.get(key);
      if (first)
        this.problems.add(at, `The key "${key}" is here a second time; the first is in line ${first.at.line}. Keep one.`);
      const value = this.node(at, depth + 1);
      if (!first) entries.set(key, { key, at, value });
    }
    for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    return [...entries.values()];
  }

  private key(at: Place): string {
    const index = this.next++;
    const written = this.event(index);
    const target = written.type === EVENT_ALIAS ? this.event(this.target(index, written)) : written;
    const value = target.type === EVENT_SCALAR ? this.valueOf(target) : null;
    if (target.type !== EVENT_SCALAR || value === null) {
      const start = target.type === EVENT_MAPPING ? target.start : 0;
      if (written === target && target.type !== EVENT_SCALAR) this.skip();
      const isReference = start > 0 && this.text.startsWith("{{", start - 1);
      this.problems.add(at, isReference ? NEEDS_QUOTES : "A key is a text. Lists, maps and nothing cannot be keys.");
      return "";
    }
    if (written === target && target.anchorStart >= 0) this.anchors.set(this.anchorOf(target), index);
    this.checkTag(target, at);
    const key = typeof value === "string" ? value : this.rawOf(target);
    const problem = scalarProblem(key, key);
    if (problem) this.problems.add(at, problem);
    return key;
  }

  /** What `<<` brings: the entries of a map, or of each map of a list, the earlier ones first. */
  private merged(at: Place, keyAt: Place, depth: number): Entry[] {
    const value = this.node(keyAt, depth);
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

  /** To behind the end of the list or map that has just begun. */
  private skip(): void {
    for (let open = 1; open > 0 && this.next < this.events.length; this.next++) {
      const type = this.events[this.next]?.type;
      if (type === EVENT_POP) open--;
      if (type === EVENT_MAPPING || type === EVENT_SEQUENCE) open++;
    }
  }

  private goesOn(): boolean {
    return this.events[this.next]?.type !== EVENT_POP;
  }

  /** @throws {TypeError} when there is none: the library's lists are whole */
  private event(index: number): ScalarEvent | Collection | Alias {
    const event = this.events[index];
    if (!event || event.type === EVENT_DOCUMENT || event.type === EVENT_POP) throw new TypeError(`No value is at ${index}`);
    return event;
  }

  private place(offset: number, within: Place, key?: string | number): Place {
    return new TextPlace(this.lines, offset, within, key);
  }

  /** Undefined for what is left out. */
  private startOf(event: ScalarEvent | Collection | Alias): number | undefined {
    if (event.type === EVENT_ALIAS) return event.anchorStart - 1;
    if (event.type !== EVENT_SCALAR) return event.start;
    return event.valueStart < 0 ? undefined : startOfScalar(event, this.text);
  }

  private rawOf(event: ScalarEvent): string {
    if (event.valueStart < 0) return "";
    return this.text.slice(startOfScalar(event, this.text), event.valueEnd + (isQuoted(event) ? 1 : 0));
  }

  private valueOf(event: ScalarEvent): string | number | boolean | null {
    const text = event.valueStart < 0 ? "" : getScalarValue(this.text, event);
    if (event.tagStart < 0) return event.style === SCALAR_STYLE_PLAIN ? plainValue(text) : text;
    const tag = this.tagOf(event);
    return tag === "!" || tag.endsWith("str") ? text : plainValue(text);
  }

  private anchorOf(event: ScalarEvent | Collection | Alias): string {
    return this.text.slice(event.anchorStart, event.anchorEnd);
  }

  private tagOf(event: ScalarEvent | Collection): string {
    return this.text.slice(event.tagStart, event.tagEnd);
  }

  private target(index: number, alias: Alias): number {
    const name = this.anchorOf(alias);
    const target = this.targets.get(index) ?? this.anchors.get(name);
    const offset = alias.anchorStart - 1;
    if (target === undefined) throw new Unreadable(offset, `No value before this one has the anchor &${name}.`);
    if (this.open.has(target)) throw new Unreadable(offset, `*${name} stands inside of what it repeats. It would have no end.`);
    this.targets.set(index, target);
    return target;
  }

  private checkTag(event: ScalarEvent | Collection, at: Place): void {
    if (event.tagStart < 0) return;
    const tag = this.tagOf(event);
    if (/^(?:!|(?:!!|!<tag:yaml\.org,2002:)(?:str|int|float|bool|null|map|seq)>?)$/.test(tag)) return;
    this.problems.add(at, `The tag ${tag.slice(0, 60)} is not known here. Take it away, and write the value plainly.`);
  }
}
