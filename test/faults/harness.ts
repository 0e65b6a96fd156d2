import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { readConfig } from "../../config.js";
import { freePort } from "../../local/ports.js";
import { removeOutside } from "../../local/postgres-account.js";
import { isAlive, markOf } from "../../local/process-mark.js";
import { type ChildScript, type Stack, type StackOptions, startStack } from "../../local/stack.js";
import { builtFile } from "../../package-root.js";
import { currentTest } from "../support/current-test.js";
import { makeRepository } from "../support/repository.js";
import { FaultClient, type Follower } from "./client.js";
import { DEFINITIONS, writeDefinitions } from "./definitions.js";
import { type OutageServer, outagePostgres, outageTemporal, temporalBinary } from "./servers.js";
import { startWith } from "./start-with.js";

export interface HarnessOptions {
  /** Absolute and new; everything lies below it, and other accounts may pass through it. */
  folder: string;
  /** Temporal and Postgres in the test's own hands: nobody else starts them again. Left out: the supervisor has them. */
  ownServers?: boolean;
  /** Settings besides the harness' own. */
  settings?: Readonly<Record<string, string>>;
  /** Source texts by name; a name without an ending is TypeScript. @default DEFINITIONS */
  definitions?: Readonly<Record<string, string>>;
  /** What is started in place of the worker. */
  worker?: ChildScript;
  /** Folder of the Longhaul that everything is begun with; `startAgain` starts this one. @default this one */
  build?: string;
  log?: (line: string) => void;
}

/** A run that was asked for and that a client watches. */
export interface WatchedRun {
  id: string;
  workflow: string;
  /** Its counter file; null when it counts nothing. */
  counter: string | null;
  steps: number;
  stream: Follower;
  /** The test that started it; undefined outside of tests. */
  startedBy: string | undefined;
}

/** A point of `fault.ts` where worker or API is to die, once. */
export type Order =
  | `activity:${"begun" | "done" | "recorded"} ${number}`
  | `${"file" | "artifact"}:written ${string}`
  | "api:started";

/** Longhaul as `npm start` runs it, from the built files, with all that a test needs to make it fall. */
export class Harness {
  readonly runs: WatchedRun[] = [];
  /** When a worker was killed, in milliseconds. */
  readonly kills: number[] = [];
  private counters = 0;
  private constructor(
    readonly folder: string,
    readonly home: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly orders: string,
    private readonly options: StackOptions,
    readonly project: { id: string; path: string },
    readonly client: FaultClient,
    /** Set with `ownServers`. */
    readonly servers: { temporal: OutageServer; postgres: OutageServer } | null,
    public stack: Stack,
  ) {}

  static async start({
    folder,
    ownServers = false,
    definitions = DEFINITIONS,
    settings = {},
    worker,
    build,
    log = () => {},
  }: HarnessOptions): Promise<Harness> {
    const home = join(folder, "home");
    const orders = join(folder, "fault");
    mkdirSync(join(folder, "counters"));
    // Read by the processes that the stack starts; see `fault.ts`.
    process.env.NODE_ENV = "test";
    process.env.LONGHAUL_FAULT = orders;

    const servers = ownServers ? { temporal: await outageTemporal(folder), postgres: await outagePostgres(folder) } : null;
    const env = {
      LONGHAUL_ALLOW_BYPASS: "on",
      ...settings,
      LONGHAUL_HOME: home,
      LONGHAUL_PORT: String(await freePort()),
      LONGHAUL_TEMPORAL_BIN: await temporalBinary(),
      ...(servers ? { TEMPORAL_ADDRESS: servers.temporal.address, DATABASE_URL: servers.postgres.address } : {}),
    };
    const options = { temporalUi: false, log, ...(worker ? { worker } : {}) };
    let stack: Stack | undefined;
    try {
      stack = await startWith(build, env, options);
      const client = new FaultClient(stack.url, stack.token ?? "");
      const path = await makeRepository(folder);
      writeDefinitions(path, definitions);
      const { body } = await client.insist("POST", "/api/projects", { body: { path } });
      const project = { id: body.data.id, path };
      const harness = new Harness(folder, home, env, orders, options, project, client, servers, stack);
      for (const name of Object.keys(definitions)) await harness.discovered(name.replace(/\..*/, ""));
      return harness;
    } catch (error) {
      await stack?.stop();
      await Promise.allSettled([servers?.temporal.stop(), servers?.postgres.stop()]);
      removePostgres(folder);
      throw error;
    }
  }

  /** Start a counting run and follow its events. */
  async count(workflow: "count-shell" | "count-activity" | "count-agent", steps: number): Promise<WatchedRun> {
    const counter = join(this.folder, "counters", String(this.counters++));
    return this.begin(workflow, { file: counter, steps }, { counter, steps });
  }

  /** Start a run of one step that runs this command. */
  async command(command: string, workflow: "one-command" | "one-activity" = "one-command"): Promise<WatchedRun> {
    return this.begin(workflow, { command }, { counter: null, steps: 1 });
  }

  /** Start a run and follow its events. */
  async begin(workflow: string, input: object, { counter, steps }: Pick<WatchedRun, "counter" | "steps">): Promise<WatchedRun> {
    // One key for all tries: the API may fall before it answers.
    const headers = { "idempotency-key": randomUUID() };
    const body = { workflow, project_id: this.project.id, input };
    const { body: answer } = await this.client.insist("POST", "/api/runs", { body, headers });
    const { id }: { id: string } = answer.data;
    const run = { id, workflow, counter, steps, stream: this.client.follow(id), startedBy: currentTest() };
    this.runs.push(run);
    return run;
  }

  private async discovered(workflow: string): Promise<void> {
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(100)) {
      const { body } = await this.client.insist("GET", `/api/workflows?project_id=${this.project.id}`);
      if (body.data.some(({ name }: { name: string }) => name === workflow)) return;
    }
    throw new Error(`The workflow ${workflow} was not discovered.`);
  }

  /** Have the next process that comes by this point die there. */
  order(order: Order): void {
    writeFileSync(this.orders, order);
  }

  /** Resolves when an order was followed. */
  async followed(limitMs = 30_000): Promise<void> {
    for (const end = Date.now() + limitMs; Date.now() < end; await sleep(5)) {
      if (existsSync(this.orders)) continue;
      this.kills.push(now());
      return;
    }
    throw new Error("Nobody came by the point where they were to die.");
  }

  /** `kill -9` of the process alone; waits for it to be there first. */
  async kill9(name: "worker" | "api"): Promise<number> {
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(5)) {
      const pid = this.stack.pids()[name];
      if (pid === undefined) continue;
      if (name === "worker") this.kills.push(now());
      process.kill(pid, "SIGKILL");
      return pid;
    }
    throw new Error(`There is no ${name} to kill.`);
  }

  /** Worker, API and servers at once, as a loss of power; the processes of steps are not killed, which is worse. */
  async killAll(): Promise<void> {
    const marks = Object.values(this.stack.pids()).flatMap((pid) => markOf(pid ?? 0) ?? []);
    this.kills.push(now());
    this.stack.kill();
    this.servers?.temporal.kill();
    this.servers?.postgres.kill();
    while (marks.some(isAlive)) await sleep(5);
    // The last thread of a killed process holds its port a moment longer.
    await sleep(200);
  }

  /** End all in order and make the projection anew as people do, by `longhaul rebuild`. Afterwards all runs again. */
  async rebuild(): Promise<void> {
    await this.stack.stop();
    const { PATH, HOME } = process.env;
    await promisify(execFile)(process.execPath, [builtFile("cli/main.js"), "rebuild"], { env: { PATH, HOME, ...this.env } });
    await this.startAgain();
  }

  /** When it was stopped or killed. */
  async startAgain(): Promise<void> {
    await Promise.all([this.servers?.temporal.start(), this.servers?.postgres.start()]);
    this.stack = await startStack(readConfig(this.env), this.options);
  }

  /** Only the servers: for looking at what they hold. */
  async startBare(): Promise<Stack> {
    return startStack(readConfig(this.env), { ...this.options, worker: null, api: null });
  }

  /** Ends all and removes what is not below the folder. */
  async stop(): Promise<void> {
    for (const { stream } of this.runs) stream.stop();
    await this.stack.stop().catch(() => {});
    await Promise.allSettled([this.servers?.temporal.stop(), this.servers?.postgres.stop()]);
    delete process.env.LONGHAUL_FAULT;
    removePostgres(this.folder);
  }
}

/** With fractions of a millisecond, as the lines of counter files have them. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Of a folder with a home in it. As root the data may lie outside the folder, where the account of Postgres can reach it. */
export function removePostgres(folder: string): void {
  for (const data of [join(folder, "home", "postgres"), join(folder, "postgres")]) removeOutside(data);
}
