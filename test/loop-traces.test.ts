import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type Longhaul, longhaul } from "./support/longhaul.js";
import { EVERYTHING } from "./support/tool-project.js";

interface Trace {
  wf: string;
  doneAt: number;
  max: number;
  seq: string[];
  reason: string;
}
const traces = JSON.parse(readFileSync(new URL("./data/stages/loop-traces.json", import.meta.url), "utf8")) as Trace[];

let stack: Longhaul;
beforeAll(async () => {
  stack = await longhaul();
  const mcpServers = { everything: { command: process.execPath, args: [EVERYTHING, "stdio"] } };
  mkdirSync(join(stack.project, ".agent"), { recursive: true });
  writeFileSync(join(stack.project, ".agent/mcp.json"), JSON.stringify({ mcpServers }));
});

/** They counted passes from 0 and after the first; the last stage says where to go on, against the fallback. */
test.each(traces)("a run of stages goes the way that was measured: $wf, done at $doneAt", { timeout: 120_000 }, async (trace) => {
  const { doneAt, max, seq, reason } = trace;
  const stages = [...new Set(seq.map((entry) => entry.replace(/#.*/, "")))];
  const last = stages.at(-1);
  const minimum = /min_iterations(\d+)/.exec(trace.wf)?.[1];
  const answer = (stage: string) =>
    stage === last ? `{"check": \${iteration}, "recommended_next_stage": "${stages[0]}"}` : '{"text": "on"}';
  const definition = {
    name: "traced",
    stages,
    loop: {
      max_iters: max + 1,
      fallback_next_stage: last,
      stop_when: `has($.check) && $.check >= ${doneAt}`,
      ...(minimum === undefined ? {} : { min_iters: Number(minimum) + 1 }),
    },
    stageConfigs: Object.fromEntries(
      stages.map((stage) => [stage, { tool: "everything.echo", params: { message: `\n${answer(stage)}` } }]),
    ),
  };
  const run = await stack.start(JSON.stringify(definition), { ending: ".workflow.yml", in_place: true });
  const row = await run.finished(100_000);

  expect(row).toMatchObject({ status: "completed", error: null });
  expect(row.steps.map(({ step_id, iteration }) => `${step_id}#${iteration - 1}`)).toEqual(seq);
  expect(row.output).toMatchObject({ end_reason: reason.startsWith("Maximum") ? "max_iters_reached" : "stop_when" });
});
