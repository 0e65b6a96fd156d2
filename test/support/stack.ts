import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import { migrate } from "../../db/migrate.js";
import { whenThrough } from "./ends.js";

export { whenThrough };

/** host:port of the Temporal server of this test run, namespace `default`. The first call starts it. */
export function temporalAddress(): Promise<string> {
  return ask("temporal");
}

/** A Postgres database of this test file's own, migrated. The first call starts the server. Drop it when done. */
export async function testDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const admin = await ask("postgres");
  const name = `test_${randomBytes(6).toString("hex")}`;
  await query(admin, `create database ${name}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  await migrate(url.href);
  return { url: url.href, drop: () => query(admin, `drop database if exists ${name} with (force)`) };
}

/** A new empty folder, removed when the test file is through. Other users may pass through it but not look in. */
export function testFolder(): string {
  const folder = mkdtempSync(join(inject("folder"), "test-"));
  chmodSync(folder, 0o711);
  whenThrough(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  return folder;
}

async function ask(server: "temporal" | "postgres"): Promise<string> {
  const answer = await fetch(`${inject("servers")}/${server}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
