import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Call, Outcome } from "../contract/activity.js";
import type { Json } from "../contract/json.js";
import { codeFile, type LoadCode } from "./activity-code.js";
import { type ActivityCall, ActivityProcess } from "./activity-process.js";
import { whenThere } from "./patiently.js";
import { type PerformDeps, perform } from "./perform.js";
import { ownerMark, thisProcess } from "./process-owner.js";
import { Spare } from "./spare.js";
import { GRACE_MS } from "./sweep.js";

export interface UserActivityInput {
  /** sha256 of the compiled text. */
  hash: string;
  name: string;
  args: Json[];
}

export interface UserActivityDeps extends PerformDeps {
  /** LONGHAUL_HOME: code is kept in `code/<hash>.cjs`. */
  home: string;
  /** Where code comes from that is not there. */
  loadCode: LoadCode;
  /** Before a process without a call is ended. @default 60000 */
  idleMs?: number | undefined;
  /** Processes of one run at most; more calls than that wait their turn. @default 8 */
  maxProcesses?: number | undefined;
  /** The program that runs the calls, when it is not beside this file. */
  activityProgram?: string | undefined;
}

/**
 * Call a function that the workflow's file exports in `activities`. It runs in a Node process of the file's own, without our
 * secrets, in the run's tree when there is one; what it prints is the step's log. A process runs one call at a time and is
 * used again, so that a call is ended, when it is cancelled or takes too long, by ending its process and no other call.
 * From the first call on a spare process waits, so that the first call of other code finds one started.
 * State that the file keeps in variables is therefore shared by calls in a row only.
 *
 * @throws {ApplicationFailure} of the user's error's name (that of its class, for one without a name of its own);
 *   `activity_crashed`, `activity_missing`; and what `perform` throws.
 */
export function createUserActivity(deps: UserActivityDeps): {
  userActivity(call: Call<UserActivityInput>): Promise<Outcome<Json>>;
  /** End all processes. */
  stop(): Promise<void>;
} {
  const crews = new Map<string, Crew>();
  const all = new Set<ActivityProcess>();
  const folder = join(deps.home, "code");
  const spare = new Spare(() => {
    const process = startProcess(deps, folder);
    all.add(process);
    process.child.once("exit", () => all.delete(process));
    return process;
  });

  const userActivity = (call: Call<UserActivityInput>) => {
    const { run, input } = call;
    return perform(deps, `activity ${input.name}`, call, {}, async (work) => {
      const load = (signal: AbortSignal) => (hash: string) => whenThere(() => deps.loadCode(hash), signal);
      const code = (signal: AbortSignal) => codeFile(folder, input.hash, load(signal));
      const crew = crews.get(input.hash) ?? new Crew(deps, code, spare, () => crews.delete(input.hash));
      crews.set(input.hash, crew);
      return crew.call({
        name: input.name,
        args: input.args,
        cwd: existsSync(run.workspace.path) ? run.workspace.path : folder,
        env: { LONGHAUL_RUN_ID: run.run_id, LONGHAUL_STEP_ID: call.step.id, LONGHAUL_ATTEMPT: String(work.attempt) },
        signal: work.signal,
        onOutput(stream, data) {
          work.alive();
          work.log.write(stream, data);
        },
      });
    });
  };
  return {
    userActivity,
    async stop() {
      spare.stop();
      await Promise.all([...all].map((process) => process.end()));
    },
  };
}

/** So long a call waits for a process that is free before one more is started: most calls are over sooner than that has begun. */
const PATIENCE_MS = 50;

/** And so long while processes come free: with short calls another process only takes what this machine has from those that are there. */
const TURNS_MS = 250;

let started = 0;

/** What it is marked with says whose process it is, not what it will load: it may be started before that is known. */
function startProcess(deps: UserActivityDeps, cwd: string): ActivityProcess {
  const owner = ownerMark(thisProcess());
  return new ActivityProcess({
    program: deps.activityProgram ?? fileURLToPath(new URL("./user-activity-child.js", import.meta.url)),
    cwd,
    marks: { LONGHAUL_OWNER: owner, LONGHAUL_OPERATION: `activities:${owner}:${++started}` },
    graceMs: deps.graceMs ?? GRACE_MS,
  });
}

/** The processes that have loaded the same code. */
class Crew {
  private readonly free: { process: ActivityProcess; idle: NodeJS.Timeout }[] = [];
  private readonly turns: (() => void)[] = [];
  private size = 0;
  private freed = 0;

  constructor(
    private readonly deps: UserActivityDeps,
    /** The file that a new process loads; while Postgres is away, and it has to come from there, it is waited for. */
    private readonly code: (signal: AbortSignal) => Promise<string>,
    private readonly spare: Spare<ActivityProcess>,
    private readonly onEmpty: () => void,
  ) {}

  async call(call: ActivityCall): Promise<Json> {
    const process = await this.take(call.signal);
    try {
      return await process.call(call);
    } finally {
      this.giveBack(process);
    }
  }

  private async take(signal: AbortSignal): Promise<ActivityProcess> {
    const most = this.deps.maxProcesses ?? 8;
    const came = Date.now();
    for (;;) {
      if (signal.aborted) {
        this.turns.shift()?.(); // should this have been its turn, it is the next one's now
        throw signal.reason;
      }
      const next = this.free.pop();
      clearTimeout(next?.idle);
      if (next?.process.alive) return next.process;
      if (next) this.size--;
      else if (this.size === 0 || (this.size < most && this.isHopeless(came))) return this.start(signal);
      else await this.turn(signal, this.size < most ? PATIENCE_MS : undefined);
    }
  }

  /** Whether one that waits since `came` would better have a process of its own. */
  private isHopeless(came: number): boolean {
    const now = Date.now();
    return now - Math.max(came, this.freed) >= PATIENCE_MS || now - came >= TURNS_MS;
  }

  private async start(signal: AbortSignal): Promise<ActivityProcess> {
    this.size++;
    const code = await this.code(signal).catch((error: unknown) => {
      this.left();
      this.turns.shift()?.();
      throw error;
    });
    const process = this.spare.take();
    process.load(code);
    return process;
  }

  private giveBack(process: ActivityProcess): void {
    this.freed = Date.now();
    if (process.alive) {
      const idle = setTimeout(() => this.dismiss(process), this.deps.idleMs ?? 60_000).unref();
      this.free.push({ process, idle });
    } else {
      this.left();
    }
    this.turns.shift()?.();
  }

  private dismiss(process: ActivityProcess): void {
    const at = this.free.findIndex((member) => member.process === process);
    if (at < 0) return;
    this.free.splice(at, 1);
    this.left();
    process.end().catch((error) => this.deps.warn?.("An idle process of a file's activities could not be ended.", error));
  }

  private left(): void {
    if (--this.size === 0 && this.turns.length === 0) this.onEmpty();
  }

  /** Until a process may be free, the signal, or that many milliseconds. */
  private turn(signal: AbortSignal, limitMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(limit);
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.turns.splice(this.turns.indexOf(end), 1);
        end();
      };
      const limit = limitMs === undefined ? undefined : setTimeout(leave, limitMs);
      this.turns.push(end);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
