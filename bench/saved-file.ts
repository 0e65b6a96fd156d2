import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";
import { builtFile } from "../package-root.js";
import { type Engine, workflowRow } from "./engines.js";

/** From a saved definition file to the finished run of its new text, in milliseconds. */
export async function savedToFinished(
  engine: Engine,
  file: string,
  text: string,
  api: { url: string; token: string },
): Promise<number> {
  const before = await workflowRow(api.url, api.token);
  const began = Date.now();
  writeFileSync(file, text.replace("Date.now()", `Date.now() + 0 * ${began}`));
  while ((await workflowRow(api.url, api.token)).revision === before.revision) await sleep(20);
  await engine.run(1);
  return Date.now() - began;
}

/** The same change by bundling again with webpack, and a run on raw Temporal; the worker's own restart is not counted. */
export async function bundledToFinished(engine: Engine): Promise<number> {
  const began = Date.now();
  await bundleRaw(builtFile(`bench/raw-bundle-${began}.cjs`));
  await engine.run(1);
  return Date.now() - began;
}

/** The raw workflow bundled as the SDK does it. */
export async function bundleRaw(target: string): Promise<void> {
  const logger = new DefaultLogger("ERROR");
  const { code } = await bundleWorkflowCode({ workflowsPath: builtFile("bench/raw-workflow.js"), logger });
  writeFileSync(target, code);
}
