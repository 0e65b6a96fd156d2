import { TASK_QUEUE } from "../../config.js";
import { newId } from "../../contract/id.js";
import type { RunSpec } from "../../contract/run-spec.js";
import { getRun, getRunState } from "../../db/runs.js";
import { getProgram } from "../../db/workflows.js";
import type { Longhaul, StartOptions } from "../support/longhaul.js";

/** Every fifth version makes a branch. */
export function delivery(version: number, name = "delivery"): string {
  const branch = version % 5 === 0 ? `await ctx.git.ensureBranch("feature/" + ctx.runId.slice(-8));` : "";
  return `import { defineWorkflow } from "longhaul";
export default defineWorkflow({
  name: "${name}",
  async execute(ctx) {
    const count = await ctx.run("count", () => ({ value: ${version} }));
    ${branch}
    for (const n of [1, 2]) await ctx.run("test", () => n + count.value);
    await ctx.sleep(1);
    await ctx.approve("go", { message: "Go on?" });
    await ctx.shell("echo ship", { name: "ship" });
  },
});
`;
}

/** Start so many runs of one version of a workflow, and wait until each waits for its approval. @returns their ids */
export async function startFleet(stack: Longhaul, source: string, runs: number, options: StartOptions = {}): Promise<string[]> {
  const first = await stack.start(source, options);
  await first.until(({ waiting_for }) => waiting_for?.kind === "approval", 180_000);
  const { header } = await getRunState(stack.db, first.id);
  const program = await getProgram(stack.db, header.workflow_id, header.workflow_revision);
  if (!program) throw new Error("The workflow has no program.");
  const ids = await Promise.all(
    Array.from({ length: runs - 1 }, async () => {
      const id = newId("run");
      const path = header.workspace.path.replace(first.id, id);
      const created_at = new Date().toISOString();
      const spec: RunSpec = { ...header, program, run_id: id, created_at, workspace: { ...header.workspace, path } };
      await stack.client.workflow.start(header.workflow_name, { workflowId: id, taskQueue: TASK_QUEUE, args: [spec] });
      return id;
    }),
  );
  for (const id of ids) await untilWaiting(stack, id);
  return [first.id, ...ids];
}

async function untilWaiting({ db }: Longhaul, id: string): Promise<void> {
  for (const end = Date.now() + 180_000; Date.now() < end; ) {
    const run = await getRun(db, id).catch(() => null);
    if (run?.waiting_for?.kind === "approval") return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`The run ${id} does not come to its approval.`);
}
