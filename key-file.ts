import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * The keys in `<home>/keys/<name>`, 256 bits each, one hex line each: the first is used for what is new, all for what is
 * there, so that keys can be changed. Made when there is no such file, readable by nobody else.
 *
 * @param use what is lost with them, for the error when the file holds something else.
 */
export async function readKeys(home: string, name: string, use: string): Promise<Buffer[]> {
  const file = keyFile(home, name);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return createKeys(file);
    throw error;
  });
  const keys = text.split("\n").filter(Boolean);
  if (keys.length === 0 || keys.some((line) => !/^[0-9a-f]{64}$/.test(line))) {
    throw new Error(`${file} does not hold keys (64 hex digits a line). Put the file back from a backup: ${use}.`);
  }
  return keys.map((line) => Buffer.from(line, "hex"));
}

export function keyFile(home: string, name: string): string {
  return join(home, "keys", name);
}

/** The first of several processes wins; all read the same key afterwards. */
async function createKeys(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const mine = `${file}.${process.pid}`;
  await writeFile(mine, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
  await link(mine, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  await rm(mine);
  return readFile(file, "utf8");
}
