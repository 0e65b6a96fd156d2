import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { beforeAll, expect, test } from "vitest";
import type { Condition } from "../contract/plan.js";
import type { Scope } from "../definition/scope.js";
import { builtFile } from "../package-root.js";
import { bundleWorkflows } from "../worker/bundle-host.js";
import type { decide } from "./support/conditions-workflow.js";
import { temporalAddress, testFolder, whenThrough } from "./support/stack.js";

const TASK_QUEUE = "conditions";
let client: Client;

beforeAll(async () => {
  const codePath = join(testFolder(), "workflows.cjs");
  await bundleWorkflows(builtFile("test/support/conditions-workflow.js"), codePath, builtFile("workflows/encoding.js"));
  writeFileSync(codePath, counted(readFileSync(codePath, "utf8")));

  Runtime.install({ logger: new DefaultLogger("ERROR") });
  const address = await temporalAddress();
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection, taskQueue: TASK_QUEUE, workflowBundle: { codePath }, reuseV8Context: false });
  const done = worker.run();
  client = new Client({ connection: await Connection.connect({ address }) });
  whenThrough(async () => {
    worker.shutdown();
    await done;
    await connection.close();
    await client.connection.close();
  });
});

const scope: Scope = {
  input: { name: "x", labels: ["bug"], n: 2 },
  context: {},
  steps: { deploy: { status: "failed" } },
  vars: {},
  run: {},
  names: ["steps", "input"],
};

test("a run without expressions never evaluates their evaluator", async () => {
  const conditions: Condition[] = [{ truthy: ["input", "name"] }, { not: { truthy: ["input", "nothing"] } }, { cel: "false" }];

  expect(await run(conditions, false)).toMatchObject({ met: [true, true, false], env: { LH_1: "x" }, before: 0, after: 0 });
});

test("a run with expressions evaluates it once, and decides as Node does", async () => {
  const conditions: Condition[] = [
    { cel: "deploy.status == 'failed' && labels.exists(it, it.startsWith('b'))" },
    { cel: "name.matches('^(x+)+$') && n / 2 == 1.0" },
    { cel: "missing.status == 'failed'" },
  ];

  expect(await run(conditions, true)).toMatchObject({ met: [true, true, false], before: 0, after: 1 });
});

async function run(conditions: Condition[], withExpressions: boolean) {
  return await client.workflow.execute<typeof decide>("decide", {
    taskQueue: TASK_QUEUE,
    workflowId: `decide-${withExpressions}`,
    args: [conditions, scope, withExpressions],
    workflowExecutionTimeout: "30 seconds",
  });
}

/** The bundle, with a count of how often the module of CEL is evaluated. */
function counted(code: string): string {
  const counting = "globalThis.celEvaluations = (globalThis.celEvaluations ?? 0) + 1;";
  const changed = code.replace(/^\/\*\*\*\/ "[^"\n]*\.cel\.cjs"\n[^{]*\{/m, (start) => start + counting);
  if (changed === code) throw new Error("The bundle has no module of CEL.");
  return changed;
}
