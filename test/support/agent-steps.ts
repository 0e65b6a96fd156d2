import { join } from "node:path";
import { type AgentDeps, type AgentInput, type AgentValue, createAgentActivity } from "../../activities/agent/index.js";
import { Journal } from "../../activities/journal.js";
import type { Outcome } from "../../contract/activity.js";
import type { Halted } from "../../contract/halt.js";
import type { LogChunk } from "../../contract/log.js";
import { callOf, runActivity } from "./activity.js";
import type { GitProject } from "./git-project.js";
import { testFolder } from "./stack.js";

/** What is left of a run's steps is looked for on the whole machine: each process has its own. */
const RUN = `run_agents${process.pid}`;

/** What the agent's whole turn left. @throws {Error} when it was halted. */
export function whole(outcome: Outcome<AgentValue | Halted>): Outcome<AgentValue> {
  const { value } = outcome;
  if ("halt" in value) throw new Error(`The turn was halted: ${value.halt.message}`);
  return { ...outcome, value };
}

/** Agents' steps as a worker does them, in the folder of a project. */
export class AgentSteps {
  readonly chunks: LogChunk[] = [];
  readonly deps: AgentDeps;
  private number = 0;

  constructor(private readonly project: GitProject) {
    const folder = testFolder();
    this.deps = {
      home: join(folder, "home"),
      journal: new Journal(join(folder, "journal")),
      log: { append: async (more) => void this.chunks.push(...more) },
      graceMs: 1_000,
      allowBypass: true,
    };
  }

  /** One step; it may do what it likes unless the input says otherwise. */
  async do(prompt: string, input: Partial<AgentInput> = {}): Promise<Outcome<AgentValue>> {
    const run = this.project.run(RUN, "in_place");
    const all: AgentInput = { provider: "claude", prompt, permission: "bypassPermissions", ...input };
    return whole(await runActivity(createAgentActivity(this.deps), callOf(run, all, { number: ++this.number, kind: "agent" })));
  }

  /** What the steps' logs say so far. */
  get log(): string {
    return this.chunks.map(({ text }) => text).join("");
  }

  async stop(): Promise<void> {
    await this.deps.journal.stop();
  }
}
