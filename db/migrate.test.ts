import { sql } from "drizzle-orm";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../test/support/stack.js";
import * as told from "../test/support/told-run.js";
import { type Database, isUnavailable, openDatabase } from "./database.js";
import { migrate, recreateMirror } from "./migrate.js";
import { applyFacts } from "./projection.js";
import { settleRun } from "./projection-correct.js";

let db: Database;
let url: string;
let drop: () => Promise<void>;

beforeAll(async () => {
  ({ url, drop } = await testDatabase());
  db = openDatabase(url);
  await told.prepare(db);
  await applyFacts(db, "run_a", "e1", told.eventfulRun("run_a", "e1"));
});

afterAll(async () => {
  await db.close();
  await drop();
});

describe("migration", () => {
  test("of an empty database by four processes at once succeeds in all", async () => {
    const empty = await emptyDatabase();
    try {
      await Promise.all([migrate(empty.url), migrate(empty.url), migrate(empty.url), migrate(empty.url)]);

      const fresh = openDatabase(empty.url);
      expect((await fresh.orm.execute(sql`select id from app.users`)).rows).toEqual([{ id: "local" }]);
      await fresh.close();
    } finally {
      await empty.drop();
    }
  });

  test("again changes nothing", async () => {
    await migrate(url);

    expect(await count("mirror.runs")).toBe(1);
  });

  test("is refused in a database that a newer version has migrated", async () => {
    await db.orm.execute(sql`insert into mirror.migrations (hash, created_at) values ('later', 9999999999999)`);
    await expect(migrate(url)).rejects.toThrow("A newer version of Longhaul has migrated this database (schema mirror).");
    await db.orm.execute(sql`delete from mirror.migrations where hash = 'later'`);
  });

  test("leaves a table called workflows as it is, which is not ours", async () => {
    const shared = await emptyDatabase();
    const theirs = new pg.Client({ connectionString: shared.url });
    await theirs.connect();
    try {
      await theirs.query("create table public.workflows (mine int); insert into public.workflows values (7)");
      await migrate(shared.url);

      expect((await theirs.query("select * from public.workflows")).rows).toEqual([{ mine: 7 }]);
    } finally {
      await theirs.end();
      await shared.drop();
    }
  });

  test("makes a dropped mirror again and leaves the rest", async () => {
    await db.orm.execute(sql`drop schema mirror cascade`);
    await recreateMirror(url);

    expect([await count("mirror.runs"), await count("app.projects"), await count("public.workflow_runs")]).toEqual([0, 1, 0]);
    await applyFacts(db, "run_a", "e1", told.eventfulRun("run_a", "e1"));
  });
});

describe("views for readers", () => {
  test.each([
    ["workflow_definitions", 1],
    ["workflows", 1],
    ["workflow_step_definitions", 0],
    ["workflow_dependencies", 0],
    ["workflow_runs", 1],
    ["workflow_executions", 1],
    ["workflow_steps", 4],
    ["workflow_step_executions", 4],
    ["workflow_comments", 2],
    ["workflow_artifacts", 1],
    ["workflow_checkpoints", 1],
    ["workflow_events", 22],
    ["agent_sessions", 1],
    ["workflow_execution_summary", 1],
    ["workflow_step_summary", 4],
    ["workflow_recent_runs", 1],
  ])("%s has %i rows", async (view, rows) => {
    expect(await count(view)).toBe(rows);
  });

  test("say in numbers how a run and its workflow did", async () => {
    const [run] = (await db.orm.execute(sql`select * from workflow_execution_summary`)).rows;
    const [workflow] = (await db.orm.execute(sql`select * from workflow_definitions`)).rows;

    expect(run).toMatchObject({
      total_steps: "4",
      completed_steps: "3",
      failed_steps: "0",
      skipped_steps: "1",
      retries: "1",
      checkpoints: "1",
      duration: "25000",
    });
    expect(workflow).toMatchObject({ total_executions: "1", successful_executions: "1", average_duration_ms: "25000" });
  });

  test("name what happened as an audit does", async () => {
    await applyFacts(
      db,
      "run_v",
      "e1",
      told.narration("run_v", "e1", [
        told.created("run_v"),
        told.status("running"),
        told.stepStarted("run_v", 1, "lint"),
        told.status("paused"),
        told.status("running"),
        told.stepFinished("run_v", 1, "failed"),
        told.checkpoint("run_v", 1, "lint"),
        told.finished("failed"),
      ]),
    );
    await applyFacts(db, "run_w", "e1", told.narration("run_w", "e1", [told.created("run_w"), told.finished("cancelled")]));
    const names = await db.orm.execute<{ type: string }>(
      sql`select type from workflow_events where run_id = 'run_v' order by seq`,
    );
    const all = await db.orm.execute<{ type: string }>(sql`select distinct type from workflow_events`);

    expect(names.rows.map(({ type }) => type)).toEqual([
      "workflow_created",
      "workflow_started",
      "step_started",
      "workflow_paused",
      "workflow_resumed",
      "step_failed",
      "checkpoint_created",
      "workflow_failed",
    ]);
    expect(all.rows.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["workflow_completed", "workflow_cancelled", "step_completed"]),
    );
  });
});

describe("the tables", () => {
  test("keep a workflow that has runs", async () => {
    await expect(db.pool.query("delete from app.workflows")).rejects.toThrow(/violates .*foreign key/);
  });

  test("let go of a run's current step when its row goes", async () => {
    await applyFacts(
      db,
      "run_s",
      "e1",
      told.narration("run_s", "e1", [told.created("run_s"), told.status("running"), told.stepStarted("run_s", 1, "lint")]),
    );
    await db.pool.query("delete from mirror.steps where id = 'run_s-1'");

    expect((await db.pool.query("select current_workflow_step_id from mirror.runs where id = 'run_s'")).rows).toEqual([
      { current_workflow_step_id: null },
    ]);
  });

  test("refuse an absolute path of an artifact", async () => {
    await expect(db.pool.query("update mirror.artifacts set file_path = '/etc/passwd'")).rejects.toThrow(
      "artifacts_path_relative",
    );
  });

  test("hold no absolute path", async () => {
    const paths = await db.pool.query<{ path: string }>(`
      select log_file_path as path from mirror.runs union all select log_directory_path from mirror.steps
      union all select file_path from mirror.artifacts union all select session_file_path from mirror.agent_sessions`);

    expect(paths.rows.filter(({ path }) => path.startsWith("/"))).toEqual([]);
  });

  test("lose all below a project with the project", async () => {
    await settleRun(db, "run_s", "e1", { status: "cancelled", error: null, at: told.second(9) });
    await db.pool.query("delete from app.projects");

    const tables = [
      "runs",
      "steps",
      "step_attempts",
      "comments",
      "artifacts",
      "agent_sessions",
      "tool_calls",
      "checkpoints",
      "events",
      "facts",
      "executions",
      "log_chunks",
    ];
    for (const table of tables) expect([table, await count(`mirror.${table}`)]).toEqual([table, 0]);
  });
});

test("a database that is away is told from an error in a statement", async () => {
  const away = openDatabase("postgres://nobody@127.0.0.1:1/none");
  const lost = await away.orm.execute(sql`select 1`).catch((error: unknown) => error);
  const wrong = await db.orm.execute(sql`select nonsense`).catch((error: unknown) => error);
  await away.close();

  expect([isUnavailable(lost), isUnavailable(wrong), isUnavailable("text")]).toEqual([true, false, false]);
});

test("a broken idle connection does not end the process", async () => {
  await db.pool.query("select 1");
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'longhaul' and datname = current_database()",
  );
  await admin.end();

  await expect
    .poll(() =>
      db.pool.query("select 1 as one").then(
        ({ rows }) => rows,
        () => null,
      ),
    )
    .toEqual([{ one: 1 }]);
});

async function count(relation: string): Promise<number> {
  const { rows } = await db.pool.query<{ count: string }>(`select count(*) from ${relation}`);
  return Number(rows[0]?.count);
}

async function emptyDatabase() {
  const name = `empty_${Date.now()}`;
  await db.pool.query(`create database ${name}`);
  const empty = new URL(url);
  empty.pathname = `/${name}`;
  return { url: empty.href, drop: () => db.pool.query(`drop database ${name} with (force)`) };
}
