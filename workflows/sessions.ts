import type { AgentSessionRow } from "../contract/agent-session.js";
import type { Narrator } from "./narrator.js";

/**
 * Agents' sessions as they are told, so that it fits together: that one has begun, which its activity signals while it works, is told
 * once, although the worker that comes after a lost one signals it again; and one whose activity never told its end, as all its
 * workers were lost, ends with its step.
 */
export function withSessions(narrator: Narrator): Narrator {
  const running = new Map<string, AgentSessionRow>();
  const over = new Set<string>();
  return {
    tell(body, at) {
      if (body.type === "session.updated") {
        const { session } = body;
        if (session.status !== "running") {
          running.delete(session.id);
          over.add(session.id);
        } else {
          const isKnown = running.get(session.id)?.provider_session_id === session.provider_session_id;
          const isBeginning = session.usage === null; // a turn that was halted says what it has used so far
          if (over.has(session.id) || (isKnown && isBeginning)) return;
          running.set(session.id, session);
        }
      }
      if (body.type === "step.finished") {
        for (const session of running.values()) {
          if (session.step_id !== body.step_id) continue;
          running.delete(session.id);
          over.add(session.id);
          const status = body.status === "cancelled" ? "cancelled" : "failed";
          narrator.tell({ type: "session.updated", session: { ...session, status } }, at);
        }
      }
      narrator.tell(body, at);
    },
    next: (body) => narrator.next(body),
  };
}
