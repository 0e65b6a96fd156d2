import type { AgentResult } from "../sdk/context.js";
import type { Engine, Work } from "./engine.js";
import { readFailure } from "./failure.js";

/**
 * An agent's work, which says on the run, once, that a role has no file: the agent that works in it was told the word alone. It is
 * known from what the agent's activity has read of the project; one that has failed before its turn has said why.
 *
 * @param who does it
 */
export function noticingRole<Value extends Partial<AgentResult>>(
  engine: Engine,
  { role, who }: { role: string | undefined; who: string },
  work: Work<Value>,
): Work<Value> {
  if (role === undefined) return work;
  return async (place) => {
    try {
      const outcome = await work(place);
      look(place.step.id, outcome.value);
      return outcome;
    } catch (error) {
      look(place.step.id, readFailure(error).output as Partial<AgentResult> | null | undefined); // as far as there is one
      throw error;
    }
  };

  function look(stepId: string, answer: Partial<AgentResult> | null | undefined): void {
    if (answer?.sessionId === undefined || answer.instructionFiles?.some(({ kind }) => kind === "role")) return;
    const text = `The role ${JSON.stringify(role)} has no file in .agent/agents: ${who} was told the word alone.`;
    if (engine.noticed.has(text)) return;
    engine.noticed.add(text);
    engine.comment(text, stepId, { level: "warn" });
  }
}
