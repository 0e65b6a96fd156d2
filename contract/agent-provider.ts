import { acpCommand } from "./agent-command.js";
import type { SessionChoice } from "./agent-session.js";

/** What a coding agent can do of what a step may ask for, and how it answers. */
export interface AgentAbilities {
  /** Its name, as people know it. */
  title: string;
  /** `enforced`: the agent is held to the answer's schema, and tries again; `checked`: it is told the schema, and the answer is looked at afterwards. */
  schema: "enforced" | "checked";
  /** Whether it says what a turn cost. */
  cost: boolean;
  /** Whether it can be ended after so many answers of the model. */
  maxTurns: boolean;
  systemPrompt: boolean;
  /** Who chooses the session's id: `caller`, before it begins; `agent`, which tells it first of all. */
  sessionId: "caller" | "agent";
  /** Whether it can go on with a copy of a session, which stays as it is. */
  fork: boolean;
  /** Whether it can be given servers of the Model Context Protocol. */
  mcpServers: boolean;
  /** Whether it lists what it was not allowed to do. */
  denials: boolean;
}

/** Of any agent that speaks the Agent Client Protocol: what can be asked of all of them. */
const BY_PROTOCOL = {
  title: "An agent that is started by a command",
  schema: "checked",
  cost: false,
  maxTurns: false,
  systemPrompt: true,
  sessionId: "agent",
  fork: false,
  mcpServers: false,
  denials: true,
} as const satisfies AgentAbilities;

/** The agents that have a name of their own. */
export const AGENTS = {
  claude: {
    title: "Claude Code",
    schema: "enforced",
    cost: true,
    maxTurns: true,
    systemPrompt: true,
    sessionId: "caller",
    fork: true,
    mcpServers: true,
    denials: true,
  },
  codex: {
    title: "Codex",
    schema: "checked",
    cost: false,
    maxTurns: false,
    systemPrompt: true,
    sessionId: "agent",
    fork: true,
    mcpServers: true,
    denials: false,
  },
  gemini: { ...BY_PROTOCOL, title: "Gemini CLI", maxTurns: true },
  grok: { ...BY_PROTOCOL, title: "Grok Build" },
} as const satisfies Record<string, AgentAbilities>;

export type NamedAgent = keyof typeof AGENTS;

/** The canonical name of an agent that can run steps; `acp:my-agent --flag` is one that is started by that command. */
export type AgentName = NamedAgent | `acp:${string}`;

export function isNamedAgent(name: string): name is NamedAgent {
  return Object.hasOwn(AGENTS, name);
}

export function isAgentName(name: string): name is AgentName {
  return isNamedAgent(name) || acpCommand(name) !== null;
}

export function abilitiesOf(name: AgentName): AgentAbilities {
  return isNamedAgent(name) ? AGENTS[name] : BY_PROTOCOL;
}

/** What a step asks of its agent that not every agent can do. */
export interface AgentWishes {
  maxTurns?: number | undefined;
  systemPrompt?: unknown;
  session?: SessionChoice | undefined;
  /** A budget of the step in dollars. */
  budgetUsd?: number | undefined;
  mcpServers?: readonly string[] | undefined;
}

/** A sentence for a wish that the agent cannot meet, with the way out; null when it can do all of it. */
export function unsupportedBy(name: AgentName, wishes: AgentWishes): string | null {
  const { title, cost, maxTurns, systemPrompt, fork, mcpServers } = abilitiesOf(name);
  if (wishes.maxTurns !== undefined && !maxTurns) {
    return `${title} cannot be ended after a number of turns. Leave the limit of turns out and give the step a timeout, or use ${ableTo("maxTurns")}.`;
  }
  if (wishes.budgetUsd !== undefined && !cost) {
    return `${title} does not say what it costs, so a budget in dollars cannot hold it. Give the step one of tokens or minutes, or use ${ableTo("cost")}.`;
  }
  if (wishes.systemPrompt !== undefined && !systemPrompt) {
    return `${title} takes no system prompt. Say it in the prompt, or use ${ableTo("systemPrompt")}.`;
  }
  if (wishes.mcpServers !== undefined && wishes.mcpServers.length > 0 && !mcpServers) {
    return `${title} cannot be given MCP servers. Leave them out, or use ${ableTo("mcpServers")}.`;
  }
  if (typeof wishes.session === "object" && !fork) {
    return `${title} cannot go on with a copy of a session. Go on with the session itself, or use ${ableTo("fork")}.`;
  }
  return null;
}

function ableTo(ability: "cost" | "maxTurns" | "systemPrompt" | "mcpServers" | "fork"): string {
  return Object.entries(AGENTS)
    .flatMap(([name, abilities]) => (abilities[ability] ? [`"${name}"`] : []))
    .join(" or ");
}

/** What steps cannot ask of the agent, as they would call it. */
export function lacksOf(name: AgentName): string[] {
  const { cost, maxTurns, systemPrompt, fork, mcpServers, denials } = abilitiesOf(name);
  const abilities = { maxTurns, systemPrompt, mcpServers, "session: { fork }": fork, "cost and budgets in dollars": cost };
  const lacks = Object.entries({ ...abilities, permissionDenials: denials });
  return lacks.flatMap(([ability, isThere]) => (isThere ? [] : [ability]));
}
