import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { Json, JsonObject } from "../contract/json.js";
import { createLoader } from "../worker/load.js";

const STEPS = 1_000;
/** A definition has no more stages. */
const STAGES = 100;
/** By then the next process waits, has done its imports, and takes no time from others. */
const SPARE_MS = 5_000;

/**
 * Prints what definitions of 1,000 steps cost from the file to the plan, each step with a condition: in a waiting process, where it is
 * the first one, and once more in that process.
 */
export async function compiling(folder: string): Promise<void> {
  const root = join(folder, "compiling");
  mkdirSync(root, { recursive: true });
  const loader = createLoader();
  await load("small.yaml", stringify(phases(1)));
  for (const [dialect, { definition, steps }] of Object.entries(DEFINITIONS)) {
    for (const [file, text] of [
      [`${dialect}.json`, JSON.stringify(definition, null, 2)],
      [`${dialect}.yaml`, stringify(definition)],
    ] as const) {
      await sleep(SPARE_MS);
      const first = await load(file, text);
      await sleep(SPARE_MS);
      const again = await load(file, text);
      console.log(`compile ${file}, ${steps} steps: ${first.toFixed(0)} ms, once more ${again.toFixed(0)} ms`);
    }
  }

  async function load(file: string, text: string): Promise<number> {
    const path = join(root, file);
    writeFileSync(path, text);
    const began = performance.now();
    const result = await loader.load(path, root);
    if (!result.ok) throw new Error(result.error.message);
    return performance.now() - began;
  }
}

const DEFINITIONS: Record<string, { definition: JsonObject; steps: number }> = {
  phases: { definition: phases(STEPS), steps: STEPS },
  dag: { definition: dag(), steps: STEPS },
  tools: { definition: tools(), steps: STEPS },
  stages: { definition: stages(), steps: STAGES },
};

function phases(count: number): JsonObject {
  const step = (i: number): JsonObject => ({
    id: `step-${i}`,
    name: `Step ${i} of the build`,
    phase: i < count / 2 ? "build" : "test",
    if: i === 0 ? "input.force" : `input.force == true && steps["step-${i - 1}"].exit_code != ${i}`,
    timeout: "10m",
    ...(i % 2 === 0
      ? { type: "agent", agent: "claude", prompt: `Review part ${i} of {{ input.title }},\nand say what is left to do.` }
      : { type: "script", command: `npm test -- "part ${i}" {{ input.title }}` }),
  });
  return { name: "phases", input: { type: "object", properties: { force: {}, title: {} } }, steps: list(count, step) };
}

function dag(): JsonObject {
  const step = (i: number): JsonObject => ({
    key: `step-${i}`,
    agent: "reviewer",
    prompt: `Do part ${i} of {{ input.title }}${i < 10 ? "" : ` after {{ step-${i - 10}.text }}`}.`,
    dependencies: i < 10 ? [] : [`step-${i - 10}`],
    if: `size(input.title) > ${i}`,
  });
  return { name: "dag", steps: list(STEPS, step) };
}

function tools(): JsonObject {
  const step = (i: number): JsonObject => ({
    name: `step_${i}`,
    tool: "github.getIssue",
    params: { owner: `\${owner}`, number: i, labels: ["a", "b"] },
    if: `\${issue.state == 'open' && issue.comments > ${i}}`,
  });
  return { name: "tools", steps: list(STEPS, step) };
}

function stages(): JsonObject {
  const names = list(STAGES, (i) => `stage-${i}`);
  const stage = (name: string, i: number) => [name, { role: "developer", prompt: `Do part ${i}.`, if: `input.part != ${i}` }];
  return { name: "stages", stages: names, stageConfigs: Object.fromEntries(names.map(stage)) as JsonObject };
}

function list<Item extends Json>(count: number, item: (i: number) => Item): Item[] {
  return Array.from({ length: count }, (_, i) => item(i));
}
