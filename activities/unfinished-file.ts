import { createHash, randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isAlive, thisProcess } from "./process-owner.js";

const NAME = /^\.longhaul-([0-9a-f]{8})-(\d+)-(\w+)-[0-9a-f]{12}\.tmp$/;

/** The name under which a file of a tree is written before it is there as a whole. It says which process writes. */
export function unfinishedBeside(file: string): string {
  const { host, pid, started } = thisProcess();
  return join(dirname(file), `.longhaul-${wordOf(host)}-${pid}-${started}-${randomBytes(6).toString("hex")}.tmp`);
}

/** Remove what dead processes of this host have left half-written in a folder. */
export async function removeUnfinished(folder: string): Promise<void> {
  const { host } = thisProcess();
  for (const name of await readdir(folder).catch(() => [])) {
    const [, word, pid, started = ""] = NAME.exec(name) ?? [];
    if (word !== wordOf(host) || isAlive({ host, pid: Number(pid), started })) continue;
    await rm(join(folder, name), { force: true }).catch(() => {}); // not ours to remove, then
  }
}

function wordOf(host: string): string {
  return createHash("sha256").update(host).digest("hex").slice(0, 8);
}
