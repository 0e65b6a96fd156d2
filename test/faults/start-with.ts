import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readConfig } from "../../config.js";
import { type Stack, type StackOptions, startStack } from "../../local/stack.js";

/** Start the Longhaul that is built in the folder. @param build undefined: this one */
export async function startWith(build: string | undefined, env: NodeJS.ProcessEnv, options: StackOptions): Promise<Stack> {
  if (build === undefined) return startStack(readConfig(env), options);
  const read = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(build, "dist", file)).href);
  const theirs: { startStack: typeof startStack } = await read("local/stack.js");
  const config: { readConfig: typeof readConfig } = await read("config.js");
  return theirs.startStack(config.readConfig(env), options);
}
