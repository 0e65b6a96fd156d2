import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executionsOf } from "../../db/executions.js";
import { lineOfStep } from "../../definition/step-lines.js";
import { createPayloadCodec } from "../../payload-codec.js";
import { withOtherSpec } from "../../worker/other-spec.js";
import type { History } from "../../worker/replayer.js";
import { ownBuild, replayWith } from "../../worker/replays-of-build.js";
import type { Replayed } from "../../worker/told-steps.js";
import type { StartedRun } from "../support/longhaul.js";
import { EVERYTHING } from "../support/tool-project.js";
import type { Recording } from "./recording.js";
import { PATIENCE, type Scenario, type Scene } from "./scenarios.js";

/** Give the project a server of tools, for the runs that call one. */
export function prepare({ stack: { project } }: Scene): void {
  mkdirSync(join(project, ".agent"), { recursive: true });
  const everything = { command: process.execPath, args: [EVERYTHING] };
  writeFileSync(join(project, ".agent/mcp.json"), JSON.stringify({ mcpServers: { everything } }));
}

/** Have a scenario happen for real. */
export async function record(scene: Scene, scenario: Scenario): Promise<Recording> {
  const { name, shows, source, options, meanwhile = (_: Scene, run: StartedRun) => run.finished(PATIENCE), recorded } = scenario;
  const { db, client, config } = scene.stack;
  const text = source(scene);
  const run = await scene.stack.start(text, options);
  await meanwhile(scene, run);
  const run_id = (await recorded?.(scene, run)) ?? run.id;
  const last = await client.workflow
    .getHandle(run_id)
    .describe()
    .then(({ status }) => status.name);
  if (recorded || last !== "RUNNING" || name !== "still-open")
    await client.workflow
      .getHandle(run_id)
      .result()
      .catch(() => undefined); // the row says that it has finished a moment before Temporal's history does

  const codec = await createPayloadCodec(config.home);
  const executions: Recording["executions"] = [];
  let status = "";
  for (const execution of await executionsOf(db, run_id)) {
    const handle = client.workflow.getHandle(run_id, execution);
    status = (await handle.describe()).status.name;
    const history: History = await handle.fetchHistory();
    let file = "";
    const placed = await withOtherSpec({ runId: run_id, history }, codec, (spec) => {
      file = spec.program.file;
      return { ...spec, placed: true };
    });
    if (!placed) throw new Error(`${name} was not started by Longhaul.`);
    const replayed = (await replayWith(ownBuild(), [{ runId: run_id, history: placed }], { home: config.home })).get(run_id);
    if (!replayed || replayed.error !== null) throw new Error(`${name} does not replay: ${replayed?.error}`);
    executions.push({ history, steps: withLines(replayed, { text, file }), ended: replayed.ended });
  }
  return { name, shows, run_id, status, executions };
}

/** Of a plan's steps, too, where they are said. */
function withLines({ steps }: Replayed, { text, file }: { text: string; file: string }): Replayed["steps"] {
  return steps.map((step) => {
    const line = file.endsWith(".ts") ? null : lineOfStep(text, file, step.key);
    return { ...step, place: step.place ?? (line === null ? null : { file, line }) };
  });
}
