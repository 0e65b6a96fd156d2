import { setTimeout as sleep } from "node:timers/promises";
import { Context } from "@temporalio/activity";
import type { AgentSessionRow } from "../../contract/agent-session.js";
import { type SessionMessage, SIGNAL } from "../../contract/messages.js";

export interface SessionDeps {
  /** Sends a run a signal. Left out: sessions are told of when they end. */
  signalRun?:
    | ((execution: { workflowId: string; runId: string }, signal: string, message: SessionMessage) => Promise<void>)
    | undefined;
  warn?: ((message: string, error: unknown) => void) | undefined;
}

/** How long a turn that is over waits for its beginning to be told. */
const PATIENCE_MS = 1_000;

/** Tells the run of a session while that is under way, so that it can be seen: its end comes with the activity's outcome. */
export class SessionTeller {
  private telling: Promise<void> = Promise.resolve();
  private told: string | undefined;
  private readonly execution = Context.current().info.workflowExecution;

  constructor(
    private readonly deps: SessionDeps,
    private readonly session: AgentSessionRow,
  ) {}

  /** @param id the provider's own. Done again for the same it does nothing. */
  begin(id: string): void {
    const { execution, deps, session } = this;
    if (this.told === id || !execution || !deps.signalRun) return;
    this.told = id;
    const message = { at: new Date().toISOString(), session: { ...session, provider_session_id: id } };
    this.telling = deps
      .signalRun(execution, SIGNAL.session, message)
      .catch((error: unknown) => deps.warn?.("A run could not be told that an agent has begun.", error));
  }

  async settled(): Promise<void> {
    await Promise.race([this.telling, sleep(PATIENCE_MS, undefined, { ref: false })]);
  }
}
