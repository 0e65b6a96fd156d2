import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Call, Outcome } from "../contract/activity.js";
import { createPayloadCodec } from "../payload-codec.js";
import { builtScript } from "../test/support/built-script.js";
import { temporalAddress, testFolder } from "../test/support/stack.js";
import { startOf } from "./process-owner.js";
import type { ShellInput, ShellOutput } from "./shell.js";
import { sweepRun } from "./sweep.js";

const bundle = join(testFolder(), "workflows.js");
let program: string;
let address: string;
let connection: Connection;
let home: string;
let run: string;
let worker: ChildProcess | undefined;
let count = 0;

beforeAll(async () => {
  address = await temporalAddress();
  connection = await Connection.connect({ address });
  program = await builtScript("test/support/recover-worker.ts");
  const workflowsPath = fileURLToPath(new URL("../test/support/recover-workflow.ts", import.meta.url));
  writeFileSync(bundle, (await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger("ERROR") })).code);
}, 120_000);

beforeEach(() => {
  home = testFolder();
  run = `run_recover${process.pid}x${++count}`;
});

afterEach(() => kill());

afterAll(() => connection.close());

describe("a worker that is killed", { timeout: 60_000 }, () => {
  test("in the middle of a step: the next one ends what is left and does the step again at once", async () => {
    await startWorker();
    const handle = await startChain(`echo $$ >> ${home}/pids; sleep $((LONGHAUL_ATTEMPT == 1 ? 300 : 0))`, "echo after");
    await appears(`${home}/pids`);
    await kill();
    const began = Date.now();
    expect(await startWorker()).toEqual({ completed: 0, failed: 1, known: 0 });

    const [first, second] = await handle.result();
    expect(first).toMatchObject({
      value: { exitCode: 0 },
      lost: [{ started_at: expect.any(String), lost_at: expect.any(String) }],
    });
    expect(second).toMatchObject({ value: { stdout: "after\n" }, lost: [] });
    expect(Date.now() - began).toBeLessThan(9_000);
    const [pid = "0"] = readFileSync(`${home}/pids`, "utf8").split("\n");
    expect(startOf(Number(pid))).toBeNull();
    expect(await sweepRun(run)).toBe(0);
  });

  test("between effect and report: the next one reports the outcome, and nothing is done twice", async () => {
    await startWorker();
    const handle = await startChain(`echo done >> ${home}/effects; echo hold`, "echo after");
    await appears(`${home}/held`);
    await kill();
    expect(await startWorker()).toEqual({ completed: 1, failed: 0, known: 0 });

    const [first] = await handle.result();
    expect(first).toMatchObject({ value: { stdout: "hold\n" }, lost: [] });
    expect(readFileSync(`${home}/effects`, "utf8")).toBe("done\n");
  });

  test("in a later step: the run goes on at once, though Temporal knows the outcomes of the steps before", async () => {
    await startWorker();
    const handle = await startChain(
      "echo before",
      "echo before",
      `touch ${home}/begun; sleep $((LONGHAUL_ATTEMPT == 1 ? 300 : 0))`,
    );
    await appears(`${home}/begun`);
    await kill();
    const began = Date.now();
    expect(await startWorker()).toEqual({ completed: 0, failed: 1, known: 2 });

    await handle.result();
    expect(Date.now() - began).toBeLessThan(9_000);
  });

  test("in something that leaves no record: it is done again at once", async () => {
    await startWorker();
    const client = new Client({ connection, dataConverter: { payloadCodecs: [await createPayloadCodec(home)] } });
    const handle = await client.workflow.start("look", { taskQueue: run, workflowId: run });
    await appears(`${home}/looked`);
    await kill();
    const began = Date.now();
    expect(await startWorker(run)).toEqual({ completed: 0, failed: 1, known: 0 });

    expect(await handle.result()).toBe("seen");
    expect(Date.now() - began).toBeLessThan(9_000);
  });

  test("in a step that may not run again: the step fails, and says that its outcome is unknown", async () => {
    await startWorker();
    const handle = await startChain({ command: `echo done >> ${home}/effects; sleep 300` });
    await appears(`${home}/effects`);
    await kill();
    await startWorker();

    expect(await handle.result()).toEqual(["outcome_unknown"]);
    expect(readFileSync(`${home}/effects`, "utf8")).toBe("done\n");
  });
});

/** @param commands an object: the step may not run again. */
async function startChain(...commands: (string | ShellInput)[]) {
  const calls = commands.map(
    (command, i): Call<ShellInput> => ({
      run: {
        run_id: run,
        project_id: "prj_1",
        project_path: home,
        workspace: { mode: "in_place", path: home, base_branch: null },
      },
      step: { id: `${run}-${i + 1}`, number: i + 1, key: "s", name: "s", phase: null, kind: "shell", iteration: 1 },
      attempt: 1,
      ...(typeof command === "string" ? { input: { command } } : { noRetry: true, input: command }),
    }),
  );
  const client = new Client({ connection, dataConverter: { payloadCodecs: [await createPayloadCodec(home)] } });
  const handle = await client.workflow.start("chain", { taskQueue: run, workflowId: run, args: [calls] });
  return { result: () => handle.result() as Promise<(Outcome<ShellOutput> | string)[]> }; // what `chain` returns
}

async function startWorker(...openRuns: string[]): Promise<unknown> {
  const child = spawn(process.execPath, [program, address, home, run, bundle, ...openRuns], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  worker = child;
  let said = "";
  for await (const data of child.stdout) {
    said += data;
    const ready = /ready (.*)\n/.exec(said);
    if (ready?.[1]) return JSON.parse(ready[1]);
  }
  throw new Error(`The worker ended: ${said}`);
}

async function kill(): Promise<void> {
  const ended = worker?.exitCode === null && worker.signalCode === null && new Promise((done) => worker?.once("exit", done));
  worker?.kill("SIGKILL");
  await ended;
}

async function appears(file: string): Promise<void> {
  while (!existsSync(file)) await sleep(20);
}
