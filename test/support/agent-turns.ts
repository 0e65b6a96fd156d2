import { execFileSync, fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { AgentEnd, AgentEvent, AgentRequest } from "../../activities/agent/provider.js";
import { agentFolder, agentProvider } from "../../activities/agent/providers.js";
import type { AgentName } from "../../contract/agent-provider.js";
import type { ModelServer } from "../../local/model-server.js";
import { refusing } from "./agent-refusing.js";
import { builtScript } from "./built-script.js";
import { testFolder } from "./stack.js";

/** What is asked besides what every turn has. */
export type TurnOptions = Partial<Omit<AgentRequest, "prompt">>;

/** One agent's turns in an empty repository, a new one for each test. */
export interface AgentTurns {
  /** The repository. */
  readonly tree: string;
  /** What the last turns have told, but for `alive`. */
  readonly events: AgentEvent[];
  run(prompt: string, options?: TurnOptions): Promise<AgentEnd>;
  request(prompt: string, options?: TurnOptions): Omit<AgentRequest, "signal" | "watch" | "permit">;
  /** The same in a process that can be killed, as a worker can. */
  startWorker(prompt: string, options?: TurnOptions): Promise<{ kill(): Promise<void> }>;
  has(file: string): boolean;
  read(file: string): string;
}

/** @param model told everything by the agent; what it was asked is forgotten before each test. */
export function agentTurns(name: AgentName, model: ModelServer): AgentTurns {
  let folder = "";
  const workers: number[] = [];
  const turns: AgentTurns = {
    get tree() {
      return join(folder, "tree");
    },
    events: [],
    run(prompt, options) {
      const watch = (event: AgentEvent) => {
        if (event.type !== "alive") turns.events.push(event);
      };
      const permit = refusing(options?.permission ?? "default");
      return agentProvider(name).run({ signal: new AbortController().signal, watch, permit, ...turns.request(prompt, options) });
    },
    request: (prompt, options) => ({
      prompt,
      cwd: turns.tree,
      permission: "default",
      configDir: join(folder, "agents", agentFolder(name)),
      sessionFile: join(folder, "agents", "run_1-1.json"),
      lineage: "run_1-1/1",
      marks: { LONGHAUL_RUN_ID: "run_1", LONGHAUL_OPERATION: `${process.pid}/1` },
      binary: process.env[`LONGHAUL_${name.toUpperCase()}_BIN`],
      ...options,
    }),
    async startWorker(prompt, options) {
      const child = fork(await builtScript("test/support/agent-worker.ts"), { stdio: "inherit" });
      const pid = child.pid ?? 0;
      workers.push(pid);
      child.send({ name, request: turns.request(prompt, options) });
      return {
        async kill() {
          process.kill(pid, "SIGKILL");
          await until(() => !isAlive(pid));
        },
      };
    },
    has: (file) => existsSync(join(turns.tree, file)),
    read: (file) => readFileSync(join(turns.tree, file), "utf8"),
  };
  beforeEach(() => {
    model.requests.length = 0;
    turns.events.length = 0;
    folder = mkdtempSync(join(testFolder(), "turns-"));
    execFileSync("git", ["init", "-q", "-b", "main", turns.tree]);
  });
  afterEach(() => {
    for (const pid of workers.splice(0)) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
  return turns;
}

/** Whether a process lives; one that has ended and that nobody has asked about does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** @throws {Error} when it does not come to this in 20 seconds. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  if (!holds()) throw new Error("It did not come to this in 20 seconds.");
}
