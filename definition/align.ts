import type { Json } from "../contract/json.js";

/**
 * Which item of an old list each item of a new one is: the same thing, or what has taken its place; null for what is new.
 * Places in the old list only rise, so that all that have one can stay where they are.
 */
export function align(old: readonly Json[], next: readonly Json[]): (number | null)[] {
  const aligned = rising(sameThings(old, next));
  const ends = endsOf(aligned, old.length);
  let place = 0;
  for (const [i, item] of next.entries()) {
    const same = aligned[i];
    if (same !== null && same !== undefined) {
      place = same + 1;
    } else if (place < (ends[i] ?? 0) && kindOf(old[place]) === kindOf(item)) {
      aligned[i] = place++;
    }
  }
  return aligned;
}

/** For each item of the new list the old one of the same name, or of the same content; each old one once. */
export function sameThings(old: readonly Json[], next: readonly Json[]): (number | null)[] {
  const places = new Map<string, number[]>();
  for (const [i, item] of old.entries()) {
    const name = nameOf(item);
    const known = places.get(name);
    if (known) known.push(i);
    else places.set(name, [i]);
  }
  for (const known of places.values()) known.reverse();
  return next.map((item) => places.get(nameOf(item))?.pop() ?? null);
}

/** What it is called, or all it is. */
function nameOf(item: Json): string {
  if (item === null || typeof item !== "object" || Array.isArray(item)) return canonical(item);
  const name = item.key ?? item.id ?? item.name;
  return typeof name === "string" ? `called ${name}` : canonical(item);
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_, item: Json) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** As many of the places as can stay so that they only rise; null for the others. */
function rising(places: readonly (number | null)[]): (number | null)[] {
  /** For each length, the item that ends the best rising row of that length. */
  const ends: number[] = [];
  const before: (number | undefined)[] = [];
  for (const [i, place] of places.entries()) {
    if (place === null) continue;
    let low = 0;
    for (let high = ends.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((places[ends[middle] ?? 0] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    before[i] = ends[low - 1];
    ends[low] = i;
  }
  const stays = new Set<number>();
  for (let at = ends.at(-1); at !== undefined; at = before[at]) stays.add(at);
  return places.map((place, i) => (stays.has(i) ? place : null));
}

/** For each item the old place before which those must lie that may become it. */
function endsOf(aligned: readonly (number | null)[], length: number): number[] {
  const ends: number[] = [];
  let end = length;
  for (let i = aligned.length - 1; i >= 0; i--) {
    end = aligned[i] ?? end;
    ends[i] = end;
  }
  return ends;
}

function kindOf(value: Json | undefined): string {
  return Array.isArray(value) ? "list" : value === null ? "null" : typeof value;
}
