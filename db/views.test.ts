import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../package-root.js";
import { planOf } from "../test/support/definitions.js";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { recreateMirror } from "./migrate.js";
import { applyFacts } from "./projection.js";
import { workflows, workflowVersions } from "./schema.js";

let db: Database;
let url: string;
let close: () => Promise<void>;

const REVIEW = readFileSync(join(packageRoot, "test/data/dag/review-of-changes.yaml"), "utf8");

beforeAll(async () => {
  ({ db, url, close } = await told.preparedDatabase());
  await add("wfl_r", REVIEW);
  await applyFacts(db, "run_a", "e1", told.eventfulRun("run_a", "e1"));
});

afterAll(() => close());

const rows = async (query: string) => (await db.pool.query(query)).rows;

describe("definitions of steps", () => {
  test("stand apart from what became of them", async () => {
    expect(
      await rows(
        "select key, agent, dependencies, parallel, optional, max_retries, timeout_ms from workflow_step_definitions order by position",
      ),
    ).toEqual([
      {
        key: "parse-changes",
        agent: "backend",
        dependencies: [],
        parallel: false,
        optional: false,
        max_retries: 2,
        timeout_ms: null,
      },
      {
        key: "security-scan",
        agent: "security",
        dependencies: ["parse-changes"],
        parallel: true,
        optional: false,
        max_retries: 3,
        timeout_ms: null,
      },
      {
        key: "quality-check",
        agent: "quality",
        dependencies: ["parse-changes"],
        parallel: true,
        optional: false,
        max_retries: 2,
        timeout_ms: null,
      },
      {
        key: "generate-report",
        agent: "writer",
        dependencies: ["security-scan", "quality-check"],
        parallel: false,
        optional: false,
        max_retries: 2,
        timeout_ms: null,
      },
    ]);
    expect(await rows("select count(*)::int as count from workflow_step_executions")).toEqual([{ count: 4 }]);
  });

  test("have their prompts as they were written", async () => {
    expect(
      await rows(
        "select prompt from workflow_step_definitions where key in ('parse-changes', 'generate-report') order by position",
      ),
    ).toEqual([
      { prompt: "Parse the code changes in {{filePath}} and extract modified functions" },
      {
        prompt:
          "Generate code review report from security findings {{security-scan.result}} and quality issues {{quality-check.result}}",
      },
    ]);
  });

  test("say where they stand, and are those of the latest revision", async () => {
    const step = (id: string, more = {}) => ({ id, type: "script", command: "true", ...more });
    const agent = { id: "look", type: "agent", prompt: "{{ input.what }}", optional: true, timeout: "90s" };
    await add("wfl_p", { name: "first", dialect: "phases", steps: [step("old")] });
    await add("wfl_p", { name: "first", dialect: "phases", steps: [agent, step("last")], finally: [step("clean")] }, 2);

    expect(
      await rows(
        "select part, key, kind, prompt, optional, timeout_ms, parallel from workflow_step_definitions where workflow_id = 'wfl_p' order by part, position",
      ),
    ).toEqual([
      { part: "finally", key: "clean", kind: "shell", prompt: null, optional: false, timeout_ms: null, parallel: false },
      {
        part: "steps",
        key: "look",
        kind: "agent",
        prompt: "{{input.what}}",
        optional: true,
        timeout_ms: "90000",
        parallel: false,
      },
      { part: "steps", key: "last", kind: "shell", prompt: null, optional: false, timeout_ms: null, parallel: false },
    ]);
  });
});

test("the example has four dependencies", async () => {
  expect(await rows("select from_step, to_step from workflow_dependencies where workflow_id = 'wfl_r' order by 2, 1")).toEqual([
    { from_step: "quality-check", to_step: "generate-report" },
    { from_step: "security-scan", to_step: "generate-report" },
    { from_step: "parse-changes", to_step: "quality-check" },
    { from_step: "parse-changes", to_step: "security-scan" },
  ]);
});

describe("workflows by the documents' name", () => {
  test("have definition, author, tags, version, and count their runs", async () => {
    const [review] = await rows("select * from workflows where id = 'wfl_r'");
    const [deliver] = await rows(
      "select definition, enabled, total_executions, successful_executions, average_duration from workflows where id = 'wfl_1'",
    );

    expect(review).toMatchObject({ name: "code-review-workflow", version: "1.0.0", author: "AutomatosX Team", enabled: true });
    expect(review).toMatchObject({
      tags: ["code-review", "quality", "security"],
      definition: { steps: [{ key: "parse-changes" }, {}, {}, {}] },
    });
    expect(deliver).toEqual({
      definition: null,
      enabled: true,
      total_executions: "1",
      successful_executions: "1",
      average_duration: "25000",
    });
  });

  test("join their runs and steps as the documents' own query does", async () => {
    const history = await rows(`
      SELECT we.id, w.name AS workflow_name, we.status, we.started_at, we.completed_at,
        COUNT(ws.id) AS total_steps, COUNT(CASE WHEN ws.status = 'completed' THEN 1 END) AS completed_steps
      FROM workflow_executions we
      JOIN workflows w ON we.workflow_id = w.id
      LEFT JOIN workflow_steps ws ON ws.execution_id = we.id
      GROUP BY we.id, w.name, we.status, we.started_at, we.completed_at
      ORDER BY we.started_at DESC`);

    expect(history).toMatchObject([{ id: "run_a", workflow_name: "deliver", total_steps: "4", completed_steps: "3" }]);
  });

  test("come back with the mirror", async () => {
    await recreateMirror(url);

    expect(await rows("select total_executions from workflows where id = 'wfl_1'")).toEqual([{ total_executions: "0" }]);
    expect(await rows("select count(*)::int as count from workflow_dependencies where workflow_id = 'wfl_r'")).toEqual([
      { count: 4 },
    ]);
  });
});

async function add(id: string, definition: string | object, revision = 1): Promise<void> {
  const plan = planOf(definition);
  const { name, tags, author, version } = plan;
  const described = {
    name,
    slug: name,
    tags,
    author,
    version,
    revision,
    type: "yaml" as const,
    dialect: "dag",
    source: "api" as const,
  };
  await db.orm
    .insert(workflows)
    .values({ id, ...described })
    .onConflictDoUpdate({ target: workflows.id, set: described });
  const program = JSON.parse(JSON.stringify({ kind: "plan", plan, file: "a.yaml" }));
  await db.orm.insert(workflowVersions).values({ workflowId: id, revision, hash: `${id}${revision}`, source: "", program });
}
