import { readConfig } from "../../config.js";
import { startStack } from "../../local/stack.js";

/** A supervisor in a process of its own, for tests that kill it: arguments are the stand-in child and its journal. */
const [, , script = "", journal = ""] = process.argv;
const stack = await startStack(readConfig(), {
  worker: { script, args: ["worker", journal] },
  api: { script, args: ["api", journal] },
  log: (line) => console.error(line),
});
console.log(JSON.stringify(stack.pids()));
process.once("SIGTERM", () => void stack.stop().then(() => process.exit(0)));
