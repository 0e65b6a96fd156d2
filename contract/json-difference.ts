import type { Json } from "./json.js";

/**
 * Where two values differ: paths such as `files[2].name`, "" for the whole. What only one has counts as different; in what
 * order an object's names stand does not.
 *
 * @param most how many paths at most
 */
export function differingPaths(a: Json, b: Json, most = 50): string[] {
  const paths: string[] = [];
  look(a, b, "");
  return paths;

  function look(left: Json | undefined, right: Json | undefined, path: string): void {
    if (paths.length >= most || left === right) return;
    if (!isWhole(left) || !isWhole(right) || Array.isArray(left) !== Array.isArray(right)) return void paths.push(path);
    if (Array.isArray(left) && Array.isArray(right)) {
      for (let i = 0; i < Math.max(left.length, right.length); i++) look(left[i], right[i], `${path}[${i}]`);
      return;
    }
    const [one, other] = [left as { [key: string]: Json }, right as { [key: string]: Json }]; // neither is a list here
    for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
      look(own(one, key), own(other, key), path === "" ? key : `${path}.${key}`);
    }
  }
}

function isWhole(value: Json | undefined): value is Json[] | { [key: string]: Json } {
  return typeof value === "object" && value !== null;
}

function own(value: { [key: string]: Json }, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}
