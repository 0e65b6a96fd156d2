import { execFile } from "node:child_process";
import { promisify } from "node:util";
import pg from "pg";
import { expect, test } from "vitest";
import { builtScript } from "../test/support/built-script.js";
import { testDatabase } from "../test/support/stack.js";

const run = promisify(execFile);

async function migrate(env: Record<string, string>) {
  return run(process.execPath, [await builtScript("local/migrate-main.ts")], { env: { PATH: process.env.PATH, ...env } });
}

test("makes the schema in the database that is named, and can be run again", async () => {
  const database = await testDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query("drop schema mirror cascade; drop schema app cascade");

    for (let times = 0; times < 2; times++) {
      expect((await migrate({ DATABASE_URL: database.url })).stdout).toBe("The database has the newest schema.\n");
      expect((await client.query("select count(*)::int as runs from mirror.runs")).rows).toEqual([{ runs: 0 }]);
    }
  } finally {
    await client.end();
  }
});

test("says which setting lacks", async () => {
  await expect(migrate({})).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("DATABASE_URL must be set") });
});
