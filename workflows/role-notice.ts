import type { AgentResult } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import type { Engine } from "./engine.js";

/**
 * An agent's step, after which it is said on the run, once, that its role has no file: the agent was told the word alone. It is known
 * from what the agent's activity has read of the project; one that has failed before its turn has said why.
 *
 * @param who does it
 */
export async function noticingRole(
  engine: Engine,
  key: string,
  { role, who }: { role: string; who: string },
  doing: Promise<AgentResult>,
): Promise<AgentResult> {
  try {
    const answer = await doing;
    look(answer);
    return answer;
  } catch (error) {
    if (error instanceof StepFailed) look(error.output as Partial<AgentResult> | null | undefined); // as far as there is one
    throw error;
  }

  function look(answer: Partial<AgentResult> | null | undefined): void {
    if (answer?.sessionId === undefined || answer.instructionFiles?.some(({ kind }) => kind === "role")) return;
    const text = `The role ${JSON.stringify(role)} has no file in .agent/agents: ${who} was told the word alone.`;
    if (engine.noticed.has(text)) return;
    engine.noticed.add(text);
    engine.notes.comment(text, engine.place?.step.id ?? engine.stepId(key), { level: "warn" });
  }
}
