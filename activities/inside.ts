import { realpath } from "node:fs/promises";
import { isAbsolute, resolve, sep } from "node:path";
import { StepFailure } from "./failure.js";

/**
 * A folder inside the run's tree, links resolved.
 *
 * @param path relative to the tree, or absolute inside it.
 * @throws {StepFailure} `workspace_missing`, `invalid_path`.
 */
export async function folderInside(root: string, path = "."): Promise<string> {
  const top = await realpath(root).catch((error: unknown) => {
    throw new StepFailure("workspace_missing", `The run's folder ${root} is not there.`, undefined, { cause: error });
  });
  const wanted = isAbsolute(path) ? path : resolve(top, path);
  const real = await realpath(wanted).catch((error: unknown) => {
    throw new StepFailure("invalid_path", `There is no folder ${path} in the run's tree.`, undefined, { cause: error });
  });
  if (real !== top && !real.startsWith(top + sep)) {
    throw new StepFailure("invalid_path", `${path} leads out of the run's tree.`);
  }
  return real;
}
