import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { pino } from "pino";
import { readConfig, TASK_QUEUE } from "../../config.js";
import { newId } from "../../contract/id.js";
import type { Json } from "../../contract/json.js";
import type { RunSpec } from "../../contract/run-spec.js";
import { type Database, openDatabase } from "../../db/database.js";
import { createProject } from "../../db/projects.js";
import { registerLoaded } from "../../db/registry.js";
import { getRun } from "../../db/runs.js";
import { findWorkflow } from "../../db/workflows.js";
import { createPayloadCodec } from "../../payload-codec.js";
import { createLoader } from "../../worker/load.js";
import { type RunningWorker, runWorker, type WorkerConfig } from "../../worker/run-worker.js";
import { makeRepository } from "./repository.js";
import { temporalAddress, testDatabase, testFolder, whenThrough } from "./stack.js";

/** All of Longhaul but its HTTP surface, for one test file: a project, a worker, real servers. */
export interface Longhaul {
  db: Database;
  client: Client;
  config: WorkerConfig;
  /** The project's folder: a git repository with a bare remote `origin`. */
  project: string;
  /** Start a run of a workflow file's text. */
  start(source: string, options?: StartOptions): Promise<StartedRun>;
  /** Start another worker, after `worker.stop()`. */
  startWorker(): Promise<RunningWorker>;
  worker: RunningWorker;
}

export interface StartOptions {
  input?: Json;
  timeout_ms?: number;
  in_place?: boolean;
  continue_after?: number;
  interactive?: boolean;
  /** How the definition's file ends. @default ".ts" */
  ending?: ".ts" | ".yaml" | ".json" | ".workflow.yml";
}

export type RunRow = Awaited<ReturnType<typeof getRun>>;

export interface StartedRun {
  id: string;
  /** The run's row once it is as asked; fails after the limit, saying how it was. */
  until(wanted: (run: RunRow) => boolean, limitMs?: number): Promise<RunRow>;
  /** The run's row when it has finished. */
  finished(limitMs?: number): Promise<RunRow>;
  row(): Promise<RunRow>;
}

const FINISHED = ["completed", "failed", "cancelled", "timed_out"];

export async function longhaul(): Promise<Longhaul> {
  const [address, database] = await Promise.all([temporalAddress(), testDatabase()]);
  const folder = testFolder();
  const home = join(folder, "home");
  mkdirSync(home);
  const project = await makeRepository(folder);
  const namespace = newId("test").replaceAll("_", "-");
  const connection = await Connection.connect({ address });
  await makeNamespace(connection, namespace);

  const config: WorkerConfig = {
    ...readConfig({
      LONGHAUL_HOME: home,
      TEMPORAL_NAMESPACE: namespace,
      LONGHAUL_CODEX_BIN: process.env.LONGHAUL_CODEX_BIN,
      LONGHAUL_GEMINI_BIN: process.env.LONGHAUL_GEMINI_BIN,
      LONGHAUL_GROK_BIN: process.env.LONGHAUL_GROK_BIN,
    }),
    databaseUrl: database.url,
    temporalAddress: address,
  };
  const log = pino({ level: process.env.LONGHAUL_TEST_LOG ?? "silent" });
  const db = openDatabase(database.url);
  const client = new Client({ connection, namespace, dataConverter: { payloadCodecs: [await createPayloadCodec(home)] } });
  const loader = createLoader();
  const { project: row } = await createProject(db, { id: newId("prj"), path: project, name: "sample", repo: null });
  const startWorker = () => runWorker(config, log);
  const self: Longhaul = { db, client, config, project, start, startWorker, worker: await startWorker() };

  whenThrough(async () => {
    await self.worker.stop();
    await db.close();
    await connection.close();
    await database.drop();
  });
  return self;

  async function start(
    source: string,
    { input = {}, timeout_ms, in_place = false, continue_after, interactive, ending = ".ts" }: StartOptions = {},
  ): Promise<StartedRun> {
    const path = `.agent/workflows/definitions/${newId("file")}${ending}`;
    const file = join(project, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, source);
    const loaded = await loader.load(file, project);
    if (!loaded.ok)
      throw new Error(
        `${loaded.error.file}:${loaded.error.line}: ${loaded.error.message} ${JSON.stringify(loaded.error.problems ?? [])}`,
      );
    await registerLoaded(db, { project_id: row.id, path, source }, loaded.workflow);
    const workflow = await findWorkflow(db, loaded.workflow.name, row.id);

    const checked = await loader.checkInput(loaded.workflow.program, input);
    if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
    const id = newId("run");
    const spec: RunSpec = {
      run_id: id,
      name: workflow.name,
      project_id: row.id,
      project_path: project,
      user_id: "local",
      workflow_id: workflow.id,
      workflow_name: workflow.name,
      workflow_revision: workflow.revision,
      phases: workflow.phases,
      program: loaded.workflow.program,
      input: checked.input,
      context: {},
      continue_after: continue_after ?? config.continueAfter,
      workspace: in_place
        ? { mode: "in_place", path: project, base_branch: null }
        : { mode: "worktree", path: join(home, "worktrees", row.id, id), base_branch: null },
      ...(interactive === undefined ? {} : { interactive }),
      timeout_ms: timeout_ms ?? workflow.timeout_ms,
      triggered_by: null,
      priority: null,
      parent_run_id: null,
      created_at: new Date().toISOString(),
    };
    await client.workflow.start(workflow.name, { workflowId: id, taskQueue: TASK_QUEUE, args: [spec] });

    const until = async (wanted: (run: RunRow) => boolean, limitMs = 60_000) => {
      let last: RunRow | undefined;
      for (const end = Date.now() + limitMs; Date.now() < end; ) {
        last = await getRun(db, id).catch(() => undefined);
        if (last && wanted(last)) return last;
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      const steps = last?.steps.map((step) => `${step.step_id} ${step.status} ${step.error?.message ?? ""}`).join("\n");
      throw new Error(`The run is ${last?.status ?? "not there"} after ${limitMs} ms. ${last?.error_message ?? ""}\n${steps}`);
    };
    return {
      id,
      until,
      finished: (limitMs) => until(({ status }) => FINISHED.includes(status), limitMs),
      row: () => getRun(db, id),
    };
  }
}

/** Make a namespace and wait until Temporal knows it. */
export async function makeNamespace(connection: Connection, namespace: string): Promise<void> {
  const service = connection.workflowService;
  await service.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: 86_400 as never } });
  for (let tries = 0; tries < 200; tries++) {
    const known = await service.describeNamespace({ namespace }).then(
      () =>
        service.listWorkflowExecutions({ namespace, pageSize: 1 }).then(
          () => true,
          () => false,
        ),
      () => false,
    );
    if (known) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Temporal does not know the namespace ${namespace}.`);
}
