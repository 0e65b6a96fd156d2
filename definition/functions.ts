import type { Plan } from "../contract/plan.js";
import { type Mapping, type Node, type Place, placeAlone } from "./node.js";
import type { Problems } from "./problems.js";

/** The functions of the author's that a plan calls. Whether they are there is for whoever reads files to say. */
export interface CalledFunctions {
  /** The file that exports them, relative to the definition. */
  file: string;
  at: Place;
  calls: { name: string; at: Place }[];
}

/** What a definition calls, with the places where it says so; undefined when its plan calls nothing. Reports calls without a file. */
export function functionsOf(plan: Plan, root: Mapping, problems: Problems): CalledFunctions | undefined {
  const steps = [...plan.steps, ...(plan.on_failure ?? []), ...(plan.finally ?? [])];
  const names = new Set(steps.flatMap(({ work }) => (work.kind === "activity" ? [work.activity] : [])));
  if (names.size === 0) return undefined;
  const places = placesOf(root);
  const placeOf = (value: string, key: string) => placeAlone(places.get(`${key} ${value}`) ?? root);
  const calls = [...names].map((name) => ({ name, at: placeOf(name, "activity") }));
  if (plan.activities !== undefined) return { file: plan.activities, at: placeOf(plan.activities, "activities"), calls };
  for (const { name, at } of calls) {
    problems.add(at, `Nothing says which file exports "${name}". Name it at the top, such as activities: ./lib/release.ts.`);
  }
  return undefined;
}

/** Where `activity` and `activities` first have each of their values, by `key value`. */
function placesOf(node: Node, places = new Map<string, Place>()): Map<string, Place> {
  if (node.kind === "list") for (const item of node.items) placesOf(item, places);
  if (node.kind !== "map") return places;
  for (const { key, value } of node.entries) {
    const said = value.kind === "scalar" && (key === "activity" || key === "activities") ? `${key} ${value.value}` : undefined;
    if (said === undefined) placesOf(value, places);
    else if (!places.has(said)) places.set(said, value);
  }
  return places;
}
