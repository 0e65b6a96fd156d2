import { readConfig } from "../config.js";
import { type Stack, type StackOptions, startStack } from "./stack.js";

/** One Ctrl-C can arrive twice, from the terminal and passed on by npm; a second one counts when it comes later. */
const ECHO_MS = 2_000;

/**
 * `npm start`: everything up and the addresses printed, until SIGINT, SIGTERM or SIGHUP; a second signal does not wait.
 *
 * @param options for a caller that runs other children than the built ones.
 * @throws {Error} a sentence for the reader, when it does not come up; nothing stays behind.
 */
export async function serve(options: StackOptions = {}): Promise<void> {
  const say = (line: string) => console.error(line);
  const told = new AbortController();
  let stack: Stack | undefined;
  let toldAt = 0;
  const onSignal = () => {
    if (told.signal.aborted && Date.now() - toldAt > ECHO_MS) {
      stack?.kill();
      process.exit(130);
    }
    if (!told.signal.aborted) toldAt = Date.now();
    told.abort(new Error("The start was given up."));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);

  stack = await startStack(readConfig(), { ...options, log: say, signal: told.signal });
  console.log(greeting(stack));
  if (!told.signal.aborted) await new Promise((resolve) => told.signal.addEventListener("abort", resolve, { once: true }));
  say("Stopping …");
  await stack.stop();
}

function greeting(stack: Stack): string {
  const lines = [`Longhaul  ${stack.url}`];
  if (stack.temporalUiUrl) lines.push(`Temporal  ${stack.temporalUiUrl}`);
  lines.push(`Data      ${stack.home}`);
  if (stack.token !== null)
    lines.push(process.env.LONGHAUL_TOKEN ? "Token     as set in LONGHAUL_TOKEN" : `Token     cat ${stack.home}/token`);
  return lines.join("\n");
}
