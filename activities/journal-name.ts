import { ownerMark, type ProcessOwner } from "./process-owner.js";

/** The name of a journal's file: `<pid>-<start>@<host>.<n>.jsonl`, or `….settled.jsonl` once nothing in it waits to be settled. */
export interface SegmentName {
  file: string;
  /** The name without its end, which changes. */
  stem: string;
  owner: ProcessOwner;
  number: number;
  settled: boolean;
}

const NAME = /^((\d+)-(\w+)@(.+)\.(\d+))(\.settled)?\.jsonl$/;

export function parseName(file: string): SegmentName | undefined {
  const [, stem, pid, started, host, number, settled] = NAME.exec(file) ?? [];
  if (stem === undefined || started === undefined || host === undefined) return undefined;
  const owner = { pid: Number(pid), started, host: decodeURIComponent(host) };
  return { file, stem, owner, number: Number(number), settled: settled !== undefined };
}

let made = 0;

/** Never the same twice in this process. */
export function newStem(owner: ProcessOwner): string {
  return `${ownerMark(owner)}@${encodeURIComponent(owner.host)}.${++made}`;
}

export function unsettledFile(stem: string): string {
  return `${stem}.jsonl`;
}

export function settledFile(stem: string): string {
  return `${stem}.settled.jsonl`;
}

/** Each process's names, in the order of their numbers. */
export function byProcess(names: readonly SegmentName[]): [SegmentName, ...SegmentName[]][] {
  const grouped = new Map<string, [SegmentName, ...SegmentName[]]>();
  for (const name of names.toSorted((a, b) => a.number - b.number)) {
    const process = `${ownerMark(name.owner)}@${name.owner.host}`;
    const others = grouped.get(process);
    if (others) others.push(name);
    else grouped.set(process, [name]);
  }
  return [...grouped.values()];
}
