import type { LoadResult } from "../contract/loader.js";
import { createLoader } from "../worker/load.js";

/** What a definition file says of itself. Code is compiled, and evaluated in a child process. @param path, root absolute. */
export function loadFile(path: string, root: string): Promise<LoadResult> {
  return createLoader().load(path, root);
}
