import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as runMigrations } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { users } from "./schema.js";

/** Who acts as long as there is one user. */
export const LOCAL_USER = "local";

/** Any number, as long as every migrator of this product takes the same. */
const LOCK = 7_204_118_563;
const JOURNAL = "migrations";

/**
 * Bring the database to the newest schema. Safe to call from several processes at once, and again.
 *
 * @throws {Error} when a newer version has migrated this database.
 */
export async function migrate(url: string): Promise<void> {
  await underLock(url, migrateBoth);
}

/** Drop schema `mirror` with all that is in it and make it again, empty. */
export async function recreateMirror(url: string): Promise<void> {
  await underLock(url, async (client) => {
    await client.query("drop schema if exists mirror cascade");
    await migrateBoth(client);
  });
}

async function underLock(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: "longhaul migrate", connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("set client_min_messages = warning");
    await client.query("select pg_advisory_lock($1)", [LOCK]);
    await work(client);
  } finally {
    // The lock goes with the session.
    await client.end();
  }
}

async function migrateBoth(client: pg.Client): Promise<void> {
  await migrateSchema(client, "app");
  await migrateSchema(client, "mirror");
  await drizzle(client).insert(users).values({ id: LOCAL_USER, name: localName() }).onConflictDoNothing();
}

async function migrateSchema(client: pg.Client, schema: "app" | "mirror"): Promise<void> {
  const folder = join(migrationsFolder(), schema);
  await refuseNewer(client, schema, folder);
  await runMigrations(drizzle(client), { migrationsFolder: folder, migrationsSchema: schema, migrationsTable: JOURNAL });
}

async function refuseNewer(client: pg.Client, schema: string, folder: string): Promise<void> {
  const { rows: found } = await client.query<{ there: boolean }>("select to_regclass($1) is not null as there", [
    `${schema}.${JOURNAL}`,
  ]);
  if (!found[0]?.there) return;

  const { rows } = await client.query<{ last: string | null }>(`select max(created_at)::text as last from ${schema}.${JOURNAL}`);
  const journal: { entries: { when: number }[] } = JSON.parse(readFileSync(join(folder, "meta", "_journal.json"), "utf8"));
  const newest = Math.max(...journal.entries.map((entry) => entry.when));
  if (Number(rows[0]?.last ?? 0) > newest) {
    throw new Error(
      `A newer version of Longhaul has migrated this database (schema ${schema}). Start that version, or use another database.`,
    );
  }
}

/** From the source and from the built package alike, the SQL lies in `db/migrations` under the package's root. */
function migrationsFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const migrations = join(folder, "db", "migrations");
    if (existsSync(join(migrations, "app", "meta", "_journal.json"))) return migrations;
    if (folder === dirname(folder)) throw new Error("The folder db/migrations is missing from this installation of Longhaul.");
  }
}

function localName(): string {
  try {
    return userInfo().username || LOCAL_USER;
  } catch {
    // A process may run under a user id that has no name.
    return LOCAL_USER;
  }
}
