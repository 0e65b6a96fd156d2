import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import type { Logger } from "pino";
import { createActivities } from "../activities/index.js";
import { Journal } from "../activities/journal.js";
import { launchFrom } from "../activities/launcher.js";
import { createLogSink } from "../activities/log-sink.js";
import { createAccess } from "../activities/project-access.js";
import { recoverJournal } from "../activities/recover.js";
import { type Config, TASK_QUEUE } from "../config.js";
import type { Fact } from "../contract/fact.js";
import { findLimit, noteLimit } from "../db/account-limits.js";
import { recordAudit } from "../db/audit.js";
import { openDatabase } from "../db/database.js";
import { projectPathOf, settledAmong, unnarratedRuns, unsettledExecutions } from "../db/executions.js";
import { keepMissingOutput } from "../db/missing-output.js";
import { activitiesCodeOf } from "../db/registry.js";
import { removeUnfinished } from "../db/run-folder.js";
import { SecretBox } from "../db/secret-box.js";
import { readAccess } from "../db/secrets.js";
import { readDone, readSeed } from "../db/seed.js";
import { spentByRuns, spentToday } from "../db/spending.js";
import { findWorkflow } from "../db/workflows.js";
import { builtFile } from "../package-root.js";
import { createPayloadCodec } from "../payload-codec.js";
import { adoptReset, withPatience } from "./adopt-reset.js";
import { closeGate } from "./close-gate.js";
import { createLoader } from "./load.js";
import { NarrationWriter } from "./narration-writer.js";
import { Reconciler } from "./reconcile.js";
import { Replayer } from "./replayer.js";
import { createRestoreDeps } from "./restore-deps.js";
import { RunFolders } from "./run-folders.js";
import { narrationSinks } from "./sinks.js";

/** What a worker needs, every server's place known. */
export type WorkerConfig = Config & { databaseUrl: string; temporalAddress: string };

export interface RunningWorker {
  /** Resolves when it has stopped. */
  done: Promise<void>;
  /** Takes no more work, lets what can be kept be kept, and ends. */
  stop(): Promise<void>;
}

/** Most workflow code in memory; a run that is not there is replayed when it goes on. */
const CACHED_RUNS = 200;
/** How often the journal loses what nobody will have forgotten. */
const FORGET_MS = 3_600_000;

/**
 * Start a worker: it settles what a dead one has left on this host, takes work, and keeps Postgres in step
 * with Temporal.
 *
 * @param options.workflowCode the bundle of workflow code. @default this build's
 */
export async function runWorker(
  config: WorkerConfig,
  log: Logger,
  { workflowCode = builtFile("workflow-host.cjs") }: { workflowCode?: string } = {},
): Promise<RunningWorker> {
  const { home, temporalNamespace: namespace } = config;
  const born = new Date().toISOString();
  installRuntime(log);
  const dataConverter = { payloadCodecs: [await createPayloadCodec(home)] };
  const access = {
    address: config.temporalAddress,
    ...(config.temporalTls || config.temporalApiKey ? { tls: true } : {}),
    ...(config.temporalApiKey ? { apiKey: config.temporalApiKey } : {}),
  };
  const [connection, native] = await Promise.all([Connection.connect(access), NativeConnection.connect(access)]);
  const client = new Client({ connection, namespace, dataConverter });
  const db = openDatabase(config.databaseUrl);

  await mkdir(join(home, "journal"), { recursive: true, mode: 0o700 });
  const journal = new Journal(join(home, "journal"));
  const replayer = new Replayer({ home, log });
  const warn = (message: string, error: unknown) => log.warn({ error: String(error) }, message);
  const logSink = createLogSink(db, { warn });
  const folders = new RunFolders({ db, log, isBusy: () => writer.isBusy });
  const onWritten = (runId: string, facts: readonly Fact[]) => folders.written(runId, facts);
  const replay = async (runId: string, execution: string): Promise<Fact[]> =>
    replayer.facts(runId, await client.workflow.getHandle(runId, execution).fetchHistory());
  const onStray = (runId: string, execution: string) =>
    void withPatience(() => adoptReset({ db, client, replayer, log }, runId, execution), warn);
  const writer = new NarrationWriter({ db, replay, onWritten, onStray, log });

  const box = new SecretBox(home);
  const launcher = launchFrom(builtFile("activities/launcher-child.js"));
  const activities = createActivities({
    home,
    journal,
    log: logSink,
    access: createAccess({ read: (id) => readAccess(db, id), open: (sealed, place) => box.open(sealed, place), warn }),
    warn,
    heartbeatMs: 2_000,
    claudeBin: config.claudeBin,
    allowBypass: config.allowBypass,
    codexBin: config.codexBin,
    accountLimits: { find: (account) => findLimit(db, account), note: (account, limit) => noteLimit(db, account, limit) },
    spending: { ofRuns: (runId) => spentByRuns(db, runId), ofDay: (projectId) => spentToday(db, projectId) },
    geminiBin: config.geminiBin,
    grokBin: config.grokBin,
    githubApiUrl: config.githubApiUrl,
    githubToken: config.githubToken,
    activityProgram: builtFile("activities/user-activity-child.js"),
    loadCode: (hash) => activitiesCodeOf(db, hash),
    findWorkflow: (name, projectId) => findWorkflow(db, name, projectId),
    checkInput: createLoader().checkInput,
    closeGate: (final, signal) => closeGate(writer, final, signal),
    ...createRestoreDeps({ db, client, namespace, replay, writer, log }),
    readSeed: ({ seed, from }) => readSeed(db, seed, from),
    readDone: (request) => readDone(db, request),
    signalRun: ({ workflowId, runId }, signal, message) => client.workflow.getHandle(workflowId, runId).signal(signal, message),
  });

  // While the worker's threads start: what is to be done again is then there when it takes its first task.
  void recover().catch((error: unknown) =>
    log.warn({ error: String(error) }, "recovery failed; Temporal's own timeouts will do"),
  );
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue: TASK_QUEUE,
    workflowBundle: { codePath: workflowCode },
    reuseV8Context: false,
    maxCachedWorkflows: CACHED_RUNS,
    maxHeartbeatThrottleInterval: "1 second",
    defaultHeartbeatThrottleInterval: "1 second",
    shutdownGraceTime: "1 second",
    shutdownForceTime: "8 seconds",
    dataConverter,
    activities: activities.activities,
    sinks: narrationSinks((fact, isReplaying) => {
      const forgedStart = fact.type === "forgery.refused" && fact.what === "start"; // of a run that is none
      if (!forgedStart) writer.tell(fact);
      else if (!isReplaying) void audit(fact);
    }),
  });
  const done = worker.run();

  const forget = async (runId: string, execution: string) => {
    await journal.forget(execution);
    const project = await projectPathOf(db, runId);
    if (project) await removeUnfinished(project, runId);
  };
  const reconciler = new Reconciler({
    db,
    client,
    replayer,
    forget,
    log,
    namespace,
    isQuiet: () => writer.isQuiet,
    isTelling: (runId, execution) => writer.isTelling(runId, execution),
  });
  reconciler.start();
  const tidying = setInterval(() => void forgetSettled(), FORGET_MS);

  /** The journal comes first: whose step was under way waits for it. */
  async function recover(): Promise<void> {
    const identity = `${process.pid}@${hostname()}`;
    const recovered = await recoverJournal({
      journal,
      connection,
      namespace,
      dataConverter,
      identity,
      openRuns: openExecutions(),
      keepOutput,
      log: (message, data) => log.info(data, message),
    });
    if (recovered.completed + recovered.failed > 0) log.info({ ...recovered }, "settled what an earlier worker had left");
    await forgetSettled();
  }

  async function openExecutions(): Promise<{ workflowId: string; runId?: string }[]> {
    const [told, untold] = await Promise.all([
      unsettledExecutions(db, { finished: false }).catch(() => []),
      unnarratedRuns(db).catch(() => []),
    ]);
    return [
      ...told.map(({ runId, execution }) => ({ workflowId: runId, runId: execution })),
      ...untold.map((workflowId) => ({ workflowId })),
    ];
  }

  /** What an earlier worker has settled, and what was deleted before it was. */
  async function forgetSettled(): Promise<void> {
    try {
      const settled = await settledAmong(db, await journal.executions());
      for (const execution of settled) await journal.forget(execution);
    } catch (error) {
      warn("What the journal has of settled runs is kept for now.", error);
    }
  }

  async function keepOutput(runId: string, steps: readonly string[]): Promise<void> {
    const projectPath = await projectPathOf(db, runId);
    if (projectPath) await keepMissingOutput(db, { runId, projectPath, steps, before: born });
  }

  async function audit(fact: Fact & { type: "forgery.refused" }): Promise<void> {
    log.warn({ run: fact.run_id, what: fact.what }, "a start that Longhaul did not sign was refused");
    await recordAudit(db, { user_id: null, action: "forgery.refused", subject: fact.run_id, data: { what: fact.what } }).catch(
      warnAudit,
    );
  }
  const warnAudit = (error: unknown) => warn("audit not written", error);

  return {
    done,
    async stop() {
      if (worker.getState() === "RUNNING") worker.shutdown();
      await done;
      clearInterval(tidying);
      await reconciler.stop();
      await writer.stop(2_000);
      await folders.flush();
      await logSink.flush(2_000);
      await activities.stop();
      launcher.stop();
      replayer.stop();
      await Promise.all([native.close(), connection.close(), db.close()]);
    },
  };
}

let installed = false;

/** Temporal's runtime is one for the whole process; its messages go to our log. */
function installRuntime(log: Logger): void {
  if (installed) return;
  installed = true;
  const logger = new DefaultLogger("WARN", ({ level, message, meta }) => {
    log[level === "ERROR" ? "error" : "warn"]({ ...meta, error: meta?.error ? String(meta.error) : undefined }, message);
  });
  Runtime.install({ logger, shutdownSignals: [] });
}
