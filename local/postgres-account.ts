import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Whom Postgres runs as: itself it refuses to run as root. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** In this order: one that an administrator made for us, else the one that every system has. */
const ACCOUNTS = ["longhaul", "nobody"];

/** Survive a restart of the machine, unlike /tmp; the second for systems where /var/lib is read-only. */
const OUTSIDE = ["/var/lib", "/var/tmp"];

/** The account to run Postgres as when we are root; `undefined` when it can run as we do. */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ACCOUNTS) {
    try {
      const [uid, gid] = ["-u", "-g"].map((flag) =>
        Number(execFileSync("id", [flag, name], { stdio: ["ignore", "pipe", "ignore"] }).toString()),
      );
      if (uid && gid) return { name, uid, gid };
    } catch {
      // No such account.
    }
  }
  throw new Error("Postgres does not run as root, and there is no account `nobody` to run it as. Make one, or set DATABASE_URL.");
}

/** Can this account reach what lies in the folder? Asked of the system, so that parents, mounts and access lists all count. */
export function canReach(account: Account, folder: string): boolean {
  const { uid, gid } = account;
  return spawnSync("ls", ["-d", join(folder, ".")], { uid, gid, cwd: "/", stdio: "ignore" }).status === 0;
}

/** Makes a folder that is the account's own and closed to others. */
export function makeFolderOf(account: Account | undefined, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (account) chownSync(folder, account.uid, account.gid);
}

const Location = z.object({ dataDir: z.string(), folder: z.string() });

/**
 * The place outside the home where the data of `dataDir` lies, which a note in `dataDir` keeps: so data is found again when
 * the home was moved, is not shared with a copy of the home, and does not come back when the home was removed.
 *
 * @param dataDir absolute, without symbolic links.
 */
export function placeOutside(account: Account, dataDir: string, log: (line: string) => void): string {
  const note = join(dataDir, "location.json");
  const noted = existsSync(note) ? Location.parse(JSON.parse(readFileSync(note, "utf8"))) : undefined;
  const ours = noted?.dataDir === dataDir || (noted && !existsSync(noted.dataDir));
  if (noted && ours && !existsSync(noted.folder)) log(`The Postgres data in ${noted.folder} is gone and is made anew`);

  const folder = noted && ours && existsSync(noted.folder) ? noted.folder : folderOutside(account, dataDir);
  const data = join(folder, "data");
  if (!noted && existsSync(data)) {
    const aside = `${data}.removed-home-${Date.now()}`;
    renameSync(data, aside);
    log(`Postgres data of an earlier home of this name was put aside: ${aside}`);
  }
  writeFileSync(`${note}.new`, JSON.stringify({ dataDir, folder }), { mode: 0o600 });
  renameSync(`${note}.new`, note);
  return folder;
}

/** Removes what stands in for `dataDir` outside the home: for a home that is thrown away. */
export function removeOutside(dataDir: string): void {
  const account = postgresAccount();
  if (account && existsSync(dataDir)) rmSync(folderOutside(account, dataDir), { recursive: true, force: true });
}

/**
 * The folder outside the home that stands in for `dataDir` when the account cannot reach it, as under
 * root's own closed home: `/var/lib/longhaul-<hash of dataDir>`, or the same in /var/tmp.
 *
 * @throws {Error} when somebody else has made a folder of that name, or neither place can be written.
 */
export function folderOutside(account: Account, dataDir: string): string {
  const name = `longhaul-${createHash("sha256").update(realpathSync(dataDir)).digest("hex").slice(0, 12)}`;
  const refusals: string[] = [];
  for (const parent of OUTSIDE) {
    const folder = join(parent, name);
    try {
      mkdirSync(folder, { mode: 0o711 });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
        refusals.push(`${folder}: ${error instanceof Error ? error.message : error}`);
        continue;
      }
    }
    const { uid } = lstatSync(folder);
    if (!lstatSync(folder).isDirectory() || uid !== 0)
      throw new Error(`${folder} is not ours. Remove it, or set LONGHAUL_HOME to another folder.`);
    if (canReach(account, folder)) return folder;
    refusals.push(`${folder}: the account ${account.name} cannot reach it`);
  }
  throw new Error(`There is no place where Postgres could keep its data as ${account.name}.\n${refusals.join("\n")}`);
}
