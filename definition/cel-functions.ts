import {
  type CelFunc,
  type CelInput,
  CelScalar,
  type CelValue,
  celFunc,
  celList,
  celMap,
  celMethod,
  isCelList,
  isCelMap,
} from "@bufbuild/cel";
import type { Json } from "../contract/json.js";
import { OWN } from "./cel-rewrite.js";

const { BOOL, DOUBLE, DYN, INT, NULL, STRING } = CelScalar;

/** In all macros of one evaluation together: what one pass of a loop costs, and how much there is. */
const PASS = 100;
const BUDGET = 1_000_000;
const LONGEST_TEXT = 4_000_000;

/** The functions of conditions on top of CEL's own, and what starts a new evaluation's budget. */
export function celFunctions(): { funcs: CelFunc[]; begin: () => void } {
  let left = BUDGET;
  const begin = () => {
    left = BUDGET;
  };
  const charge = (cost: number) => {
    left -= cost;
    if (left < 0) throw new Error("it takes too many steps; test fewer items");
  };
  const own = [
    celFunc(OWN.get, [DYN, DYN], DYN, getFrom),
    celFunc(OWN.has, [DYN, STRING], BOOL, (value, key) => isCelMap(value) && value.has(key)),
    celFunc(OWN.isList, [DYN], BOOL, isCelList),
    celFunc(OWN.truthy, [DYN], BOOL, isTruthyCel),
    celFunc(OWN.items, [DYN], DYN, (value) => (value === null ? celList([]) : value)),
    celFunc(OWN.step, [DYN], DYN, (value) => {
      charge(PASS);
      return value;
    }),
    celFunc(OWN.charge, [DYN], DYN, (value) => {
      charge(typeof value === "string" ? value.length : isCelList(value) || isCelMap(value) ? value.size : 0);
      return value;
    }),
  ];
  return { funcs: [...own, ...OF_ABSENT_VALUES, ...OF_NUMBERS, ...OF_TEXTS], begin };
}

/** JSON as CEL sees it: whole numbers are ints. */
export function toCel(value: Json): CelInput {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return celList(value.map(toCel));
  return celMap(new Map(Object.entries(value).map(([key, item]) => [key, toCel(item)])));
}

function isTruthyCel(value: CelValue): boolean {
  if (isCelList(value) || isCelMap(value)) return value.size > 0;
  return Boolean(value);
}

function getFrom(value: CelValue, key: CelValue): CelInput {
  if (isCelList(value)) {
    if (key === "length") return BigInt(value.size);
    const index = typeof key === "bigint" || typeof key === "number" ? Number(key) : -1;
    return Number.isInteger(index) ? (value.get(index) ?? null) : null;
  }
  const isKey = typeof key === "string" || typeof key === "bigint" || typeof key === "boolean";
  return isCelMap(value) && isKey ? (value.get(typeof key === "bigint" ? String(key) : key) ?? value.get(key) ?? null) : null;
}

/** What is absent or null is in no order with anything, contains nothing and has no size. */
const OF_ABSENT_VALUES: CelFunc[] = [
  ...["_<_", "_<=_", "_>_", "_>=_"].flatMap((name) => [
    celFunc(name, [NULL, DYN], BOOL, () => false),
    celFunc(name, [DYN, NULL], BOOL, () => false),
  ]),
  ...["contains", "startsWith", "endsWith", "matches"].flatMap((name) => [
    celMethod(name, NULL, [DYN], BOOL, () => false),
    celMethod(name, STRING, [NULL], BOOL, () => false),
  ]),
  celFunc("@in", [DYN, NULL], BOOL, () => false),
  celFunc("size", [NULL], INT, () => 0n),
  celMethod("size", NULL, [], INT, () => 0n),
];

/** JSON does not tell 2 from 2.0, so neither must its arithmetic. */
const OF_NUMBERS: CelFunc[] = (
  [
    ["_+_", (a, b) => a + b],
    ["_-_", (a, b) => a - b],
    ["_*_", (a, b) => a * b],
    ["_/_", (a, b) => a / b],
  ] satisfies [string, (a: number, b: number) => number][]
).flatMap(([name, compute]) => [
  celFunc(name, [INT, DOUBLE], DOUBLE, (a, b) => compute(Number(a), b)),
  celFunc(name, [DOUBLE, INT], DOUBLE, (a, b) => compute(a, Number(b))),
]);

const OF_TEXTS: CelFunc[] = [
  celFunc("_+_", [STRING, STRING], STRING, (a, b) => {
    if (a.length + b.length > LONGEST_TEXT) throw new Error("it makes a text that is too long");
    return a + b;
  }),
];
