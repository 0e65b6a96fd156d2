import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../test/support/stack.js";
import { second } from "../test/support/told-run.js";
import { type Database, openDatabase } from "./database.js";
import { workflows } from "./schema.js";
import { listWorkflows, type WorkflowFilter } from "./workflows.js";

let db: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  db = openDatabase(database.url);
  await add("code-review", { description: "Reviews a pull request for security", tags: ["quality", "security"], author: "Ada" });
  await add("issue_to_pr", { description: "Makes a pull request of an issue", tags: ["github"] });
  await add("deployService", { description: "Deploying with a rollback", author: "Über & Söhne" });
  await add("nightly", {
    description: "The latest tests, 100% of them",
    tags: ["c++", "ci/cd"],
    author: "Ada",
    dialect: "tools",
  });
  await add("部署", { description: "把服务部署到生产环境" });
});

afterAll(async () => {
  await db.close();
  await drop();
});

describe("a search", () => {
  test.each([
    ["a word of the name", "review", ["code-review"]],
    ["a name with a hyphen", "code-review", ["code-review"]],
    ["a name with underscores", "issue_to_pr", ["issue_to_pr"]],
    ["words of it, in any order and case", "PR Issue", ["issue_to_pr"]],
    ["words that languages leave out", "to", ["issue_to_pr"]],
    ["the beginning of a word", "deploy", ["deployService"]],
    ["a part of a name from its middle", "oyServ", ["deployService"]],
    ["a part of a description", "把服务", ["部署"]],
    ["a word of the description", "rollback", ["deployService"]],
    ["a tag", "quality", ["code-review"]],
    ["a tag with signs", "ci/cd", ["nightly"]],
    ["an author", "ada", ["code-review", "nightly"]],
    ["an author's letters in any case", "über", ["deployService"]],
    ["words from several places", "review quality ada", ["code-review"]],
    ["only rows that have all words", "review github", []],
    ["a phrase", '"pull request"', ["code-review", "issue_to_pr"]],
    ["no words apart for a phrase", '"request pull"', []],
    ["one word or the other", "nightly or rollback", ["deployService", "nightly"]],
    ["a word without another", "pull -security", ["issue_to_pr"]],
    ["a sign as it is", "100%", ["nightly"]],
    ["no sign as a wildcard", "c_de", []],
    ["everything, for spaces alone", "  ", ["code-review", "deployService", "issue_to_pr", "nightly", "部署"]],
  ])("finds %s", async (_what, q, names) => {
    expect((await found({ q })).sort()).toEqual(names);
  });

  test("puts first what is called so, then what begins so, then names, then what only speaks of it", async () => {
    await add("audit", {});
    await add("audit-all", {});
    await add("preaudit", {});
    await add("other", { description: "Does an audit" });
    await add("tagged", { tags: ["audit"] });
    await add("within", { description: "unaudited" });

    expect(await found({ q: "audit" })).toEqual(["audit", "audit-all", "preaudit", "tagged", "other", "within"]);
  });

  test("gives each row once, page by page, whatever comes in between", async () => {
    for (let i = 0; i < 7; i++) await add(`paged-${i}`, { description: i % 2 ? "paged paged" : "" });
    const whole = await found({ q: "paged" });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { items, page } = await listWorkflows(db, { q: "paged", limit: 2, cursor });
      seen.push(...items.map(({ name }) => name));
      cursor = page.next_cursor ?? undefined;
      await add(`paged-between-${seen.length}`, {});
    } while (cursor !== undefined && seen.length < 50);

    expect(seen.filter((name) => !name.includes("between"))).toEqual(whole);
    expect(new Set(seen).size).toBe(seen.length);
  });

  test("refuses a cursor that a list without search gave out, and the other way round", async () => {
    const plain = (await listWorkflows(db, { limit: 1 })).page.next_cursor ?? "";
    const scored = (await listWorkflows(db, { limit: 1, q: "paged" })).page.next_cursor ?? "";

    await expect(listWorkflows(db, { limit: 1, q: "paged", cursor: plain })).rejects.toThrow("not one that this list gave out");
    await expect(listWorkflows(db, { limit: 1, cursor: scored })).rejects.toThrow("not one that this list gave out");
  });

  test("never fails, whatever is typed", async () => {
    const signs = [
      "'",
      '"',
      "\\",
      "(",
      ")",
      "&",
      "|",
      "!",
      ":*",
      "<->",
      "<2>",
      "%",
      "_",
      "-",
      "--",
      "$1",
      "''",
      ":A",
      "#>",
      "\u00a0",
      "é",
      "’",
      "or",
      "\n",
    ];
    const odd = [
      ...signs,
      `"'`,
      `\\'`,
      `'); drop table app.workflows; --`,
      "a & | b",
      "!!a",
      "a:*b",
      "http://x/y'z?a=b",
      "<a href='x'>",
      "&amp;",
      "-",
      "- -",
      `-"`,
      "x".repeat(200),
      "'".repeat(200),
      "a ".repeat(100),
      "-a ".repeat(66),
      "🦊",
      "\u0301",
      "\ud83e",
    ];
    for (const q of [...odd, ...signs.map((sign, i) => `${sign}a${signs.at(-i)}`)]) {
      await expect(listWorkflows(db, { q, limit: 2 }), q).resolves.toMatchObject({ page: { limit: 2 } });
    }
  });

  test("copes with a description as large as a definition may be", async () => {
    const words = Array.from({ length: 150_000 }, (_, i) => `w${i}`).join(" ");
    await add("large", { description: words });

    expect(await found({ q: "w99" })).toContain("large");
  });
});

describe("filters", () => {
  test.each([
    [{ tags: ["security"] }, ["code-review"]],
    [{ tags: ["quality", "security"] }, ["code-review"]],
    [{ tags: ["quality", "github"] }, []],
    [{ tags: ["c++"] }, ["nightly"]],
    [{ author: "Ada" }, ["code-review", "nightly"]],
    [{ author: "Ada", dialects: ["tools" as const] }, ["nightly"]],
    [{ q: "review", author: "Bob" }, []],
  ])("%j", async (filter, names) => {
    expect((await found(filter)).sort()).toEqual(names);
  });
});

let added = 0;
async function add(name: string, more: { description?: string; tags?: string[]; author?: string; dialect?: string }) {
  added += 1;
  const row = {
    id: `wfl_${added}`,
    name,
    slug: name.toLowerCase(),
    type: "yaml" as const,
    dialect: "dag",
    source: "api" as const,
  };
  await db.orm.insert(workflows).values({ ...row, createdAt: new Date(second(added)), ...more });
}

async function found(filter: Omit<WorkflowFilter, "limit">): Promise<string[]> {
  const { items, page } = await listWorkflows(db, { ...filter, limit: 100 });
  expect(page.total).toBe(items.length);
  return items.map(({ name }) => name);
}
