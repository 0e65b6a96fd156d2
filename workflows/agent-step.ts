import { AGENTS, isAgentName } from "../contract/agent-provider.js";
import { SessionChoice } from "../contract/agent-session.js";
import type { JsonObject } from "../contract/json.js";
import type { PermitAsking } from "../contract/permit.js";
import type { Check } from "../contract/verify.js";
import type { Agent } from "../sdk/agents.js";
import { problemOfBudget, toBudget } from "../sdk/budget.js";
import type { AgentOptions, AgentResult, Permission } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { askingOf } from "./agent-permit.js";
import { agentRounds } from "./agent-rounds.js";
import { type DoOptions, defined, onTree } from "./call.js";
import { checksOf } from "./checks.js";
import type { Engine } from "./engine.js";
import { noticingRole } from "./role-notice.js";
import { StepBudget } from "./step-budget.js";

export interface AgentStepOptions extends AgentOptions, DoOptions {
  /** Where neither `permission` nor a file of the role or the profile says one. @default "default" */
  defaultPermission?: Permission;
}

/**
 * A step in which a coding agent works in the run's tree.
 *
 * @param provider left out: as the file of the role says, else the project, else the default
 * @param checks what must be so after its turn, where it is not `options.verify` that says it
 */
export function agentStep(
  engine: Engine,
  key: string,
  provider: Agent["provider"] | undefined,
  prompt: string,
  { verify, ...options }: AgentStepOptions,
  checks: readonly Check[] | StepFailed = checksOf(key, verify),
): Promise<AgentResult> {
  const { role, profile, skills, mcpServers, permission, defaultPermission, ask, ...others } = options;
  const { model, systemPrompt, maxTurns, budget, env, schema, session, stopped, ...rest } = others;
  if (provider !== undefined && !isAgentName(provider)) return Promise.reject(unavailable(key, provider));
  if (checks instanceof StepFailed) return Promise.reject(checks);
  if (session !== undefined && !SessionChoice.safeParse(session).success) {
    const given = `and not ${JSON.stringify(session)}`;
    const message = `"session" of "${key}" is an earlier answer's sessionId, or { fork: sessionId }, ${given}.`;
    return Promise.reject(new StepFailed(key, "invalid_input", message));
  }
  const wrong = problemOfBudget(budget);
  if (wrong !== null) return Promise.reject(new StepFailed(key, "invalid_input", `"budget" of "${key}" ${wrong}.`));
  const declared = checks.length > 0 ? { verify: [...checks] } : {};
  const files = { role, profile, skills, permission, defaultPermission };
  const own = budget && toBudget(budget);
  const said = defined({ ...files, mcpServers, model, systemPrompt, maxTurns, budget: own, schema, session });
  const asking = askingOf(engine, key, ask);
  if (asking instanceof StepFailed) return Promise.reject(asking);
  const input = { ...defined({ provider }), prompt, ...said, ...declared };
  const who = provider ?? role ?? "agent";
  const shown = { ...input, ...(ask && { ask: asking }), ...defined({ secrets: rest.secrets }) } as JsonObject; // options are JSON by their types
  const step = new StepBudget(engine, key, own);
  const doing = engine.step({ kind: "agent", key, options: rest, input: shown, ...defined({ stopped }) }, (place) =>
    agentRounds(engine, place, { asking, budget: step }, (before, spent) =>
      onTree(
        engine,
        place,
        { ...rest, ...left(rest, spent) },
        place.step.key === key ? who : `${key} (${who})`,
        (activities, call) =>
          activities.agent(
            call({ name: key, ...input, ...attendance(engine, asking), ...defined({ env, before }), budgets: step.forTurn() }),
          ),
      ),
    ),
  );
  return role === undefined ? doing : noticingRole(engine, key, { role, who: provider ?? "the agent" }, doing);
}

/** What the agent's activity has to know of people. */
function attendance({ permits }: Engine, ask: PermitAsking | undefined): { ask?: PermitAsking; granted?: string[] } {
  return { ...(ask && { ask }), ...(ask && permits.size > 0 ? { granted: [...permits] } : {}) };
}

/** What is left of the step's time limit. */
function left({ timeout }: DoOptions, spent: number): DoOptions {
  return timeout ? { timeout: Math.max(1, timeout - spent) } : {};
}

/** The failure of a step whose agent cannot be run. */
export function unavailable(key: string, provider: string): StepFailed {
  const known = Object.keys(AGENTS).map((name) => `"${name}"`);
  return new StepFailed(key, "provider_unavailable", `The agent "${provider}" cannot be run here; ${known.join(" and ")} can.`);
}
