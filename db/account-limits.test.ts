import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase } from "../test/support/stack.js";
import { type AccountKey, findLimit, noteLimit } from "./account-limits.js";
import { type Database, openDatabase } from "./database.js";
import { accountLimits } from "./schema.js";

let db: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  db = openDatabase(database.url);
});

afterAll(async () => {
  await db.close();
  await drop();
});

test("a limit holds its account and no other", async () => {
  await noteLimit(db, account("one"), limit("2099-01-01"));

  expect(await findLimit(db, account("one", "claude-x"))).toEqual(limit("2099-01-01"));
  expect(await findLimit(db, account("two"))).toBeNull();
  expect(await findLimit(db, { ...account("one"), provider: "codex" })).toBeNull();
});

test("a model's limit holds turns of that model", async () => {
  await noteLimit(db, account("three", "claude-x"), { ...limit("2099-01-01"), of_model: true });

  expect(await findLimit(db, account("three", "claude-x"))).toMatchObject({ of_model: true });
  expect(await findLimit(db, account("three"))).toBeNull();
});

test("of two limits the one counts that is over last", async () => {
  await noteLimit(db, account("four"), limit("2099-01-02"));
  await noteLimit(db, account("four"), limit("2099-01-01"));
  await noteLimit(db, account("four", "claude-x"), { ...limit("2099-01-03"), of_model: true });

  expect(await findLimit(db, account("four"))).toEqual(limit("2099-01-02"));
  expect(await findLimit(db, account("four", "claude-x"))).toMatchObject({ until: "2099-01-03T00:00:00.000Z" });
});

test("a limit that is over holds nobody, and goes with the next", async () => {
  await noteLimit(db, account("five"), limit("2020-01-01"));
  expect(await findLimit(db, account("five"))).toBeNull();

  await noteLimit(db, account("six"), limit("2099-01-01"));
  const kept = await db.orm.select().from(accountLimits);
  expect(kept.map((row) => row.account)).not.toContain("five");
});

function account(id: string, model = ""): AccountKey {
  return { provider: "claude", id, model };
}

function limit(day: string) {
  return { why: "limit", until: `${day}T00:00:00.000Z`, message: "The usage limit is reached." } as const;
}
