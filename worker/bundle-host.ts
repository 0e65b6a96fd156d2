import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";

/**
 * Bundle the workflow host for Temporal's sandbox. Bundling takes seconds, so it is part of the build and
 * not of the start; a bundle made from the same files is kept.
 */
export async function bundleHost(workflowsPath: string, target: string): Promise<void> {
  const inputs = await hashOfInputs(dirname(dirname(workflowsPath)));
  const stamp = `${target}.inputs`;
  if ((await readFile(stamp, "utf8").catch(() => "")) === inputs && (await readFile(target).catch(() => null))) return;

  const problems: string[] = [];
  const logger = new DefaultLogger("ERROR", ({ message }) => void problems.push(message));
  try {
    const { code } = await bundleWorkflowCode({ workflowsPath, logger });
    await writeFile(target, code);
    await writeFile(stamp, inputs);
  } catch (error) {
    throw new Error(`The workflow host could not be bundled.\n${problems.join("\n")}`, { cause: error });
  }
}

async function hashOfInputs(dist: string): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of ["contract", "sdk", "workflows"]) {
    for (const name of (await readdir(join(dist, folder))).sort()) {
      if (name.endsWith(".js") && !name.endsWith(".test.js"))
        hash.update(`${folder}/${name}\0`).update(await readFile(join(dist, folder, name)));
    }
  }
  return hash.digest("hex");
}
