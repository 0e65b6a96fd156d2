import { createRequire } from "node:module";
import type { ChildAnswer, ChildError, ChildLoad, ChildRequest } from "./activity-process.js";

/** A process that is told which file's own activities to load, and runs one call of them after the other. */
const [, self = ""] = process.argv;

/** Longhaul's end of the channel; the file's code may do what it likes with the rest of `process`. */
const send = process.send?.bind(process);
process.once("disconnect", () => process.exit(0));
process.once("message", load);

function load({ code }: ChildLoad): void {
  try {
    const { activities = {} } = createRequire(code)(code) as { activities?: Record<string, unknown> };
    process.on("message", (request: ChildRequest) => void run(activities, request));
    answer({ is: "ready" });
  } catch (error) {
    answer({ is: "unusable", error: describe(error) });
  }
}

async function run(activities: Record<string, unknown>, { name, args, env, cwd }: ChildRequest): Promise<void> {
  Object.assign(process.env, env);
  process.chdir(cwd);
  const activity = Object.hasOwn(activities, name) ? activities[name] : undefined;
  if (typeof activity !== "function") {
    return answer({
      is: "failed",
      error: { name: "activity_missing", message: `The file exports no activity "${name}".`, stack: "" },
    });
  }
  try {
    const value: unknown = await activity.apply(activities, args);
    answer({ is: "done", json: JSON.stringify(value ?? null) ?? "null" });
  } catch (error) {
    answer({ is: "failed", error: describe(error) });
  }
}

function answer(message: ChildAnswer): void {
  send?.(message);
}

function describe(error: unknown): ChildError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: "" };
  const { message, stack = "" } = error;
  const name = error.name === "Error" && error.constructor.name !== "" ? error.constructor.name : error.name;
  const theirs = stack.split("\n").filter((line) => !line.includes(self) && !/\(?node:internal/.test(line));
  return { name, message, stack: theirs.join("\n") };
}
