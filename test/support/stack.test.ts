import { readdirSync } from "node:fs";
import { Connection } from "@temporalio/client";
import { expect, test } from "vitest";
import { openDatabase } from "../../db/database.js";
import { temporalAddress, testDatabase, testFolder } from "./stack.js";

test("a test file gets real servers, a migrated database of its own and an empty folder", async () => {
  const connection = await Connection.connect({ address: await temporalAddress() });
  await connection.close();

  const [mine, other] = [await testDatabase(), await testDatabase()];
  expect(mine.url).not.toBe(other.url);
  const database = openDatabase(mine.url);
  expect((await database.pool.query("select count(*)::int as n from mirror.runs")).rows).toEqual([{ n: 0 }]);
  await database.close();
  await Promise.all([mine.drop(), other.drop()]);

  expect(readdirSync(testFolder())).toEqual([]);
});
