import type { Call, Outcome } from "../../contract/activity.js";
import type { AgentName } from "../../contract/agent-provider.js";
import type { SessionChoice } from "../../contract/agent-session.js";
import type { Budget } from "../../contract/budget.js";
import type { TreeRef } from "../../contract/fact.js";
import type { Halted, RoundsBefore } from "../../contract/halt.js";
import type { InstructionFile } from "../../contract/instruction-file.js";
import type { PermitAsking, PermitDecision } from "../../contract/permit.js";
import type { Check, CheckResult } from "../../contract/verify.js";
import { type PerformDeps, perform } from "../perform.js";
import { inTree } from "../tree-step.js";
import type { AgentUsage, PermissionDenial } from "./answer.js";
import type { AgentBudgets, BudgetDeps } from "./budget.js";
import { converse } from "./converse.js";
import type { AccountLimits } from "./limit.js";
import type { Permission } from "./provider.js";
import { type AgentTask, withInstructions } from "./role.js";
import type { SessionDeps } from "./tell-session.js";

export interface AgentInput {
  /** @default that of the role's file, else "claude" */
  provider?: AgentName;
  prompt: string;
  /** Whom the agent is to be: `.agent/agents/<role>.md`, or the word alone where there is no such file. */
  role?: string;
  /** `.agent/profiles/<profile>.md`; "default" is none. */
  profile?: string;
  /** `.agent/skills/<name>/SKILL.md`. @default those that the profile names, else the role */
  skills?: string[];
  /** How people see the session. */
  name?: string;
  model?: string;
  /** @default that of the profile, else of the role, else `defaultPermission` */
  permission?: Permission;
  /** @default "default" */
  defaultPermission?: Permission;
  /** Added to the agent's own. */
  systemPrompt?: string;
  /** How often the model may answer. @default no limit */
  maxTurns?: number;
  env?: Record<string, string>;
  /** JSON schema of `data`. */
  schema?: Record<string, unknown>;
  /** Servers of the project's `.agent/mcp.json` whose tools it is given. @default none */
  mcpServers?: string[];
  /** An earlier `sessionId` of this run. */
  session?: SessionChoice;
  /** What must be so after the turn. */
  verify?: Check[];
  /** How a person is asked for what the permission does not cover. Left out: nobody is, and it is refused. */
  ask?: PermitAsking;
  /** Rules of what people have allowed for the whole run. */
  granted?: string[];
  /** The step's own, which is among `budgets`. */
  budget?: Budget;
  /** @default those of the project */
  budgets?: AgentBudgets;
  /** Goes on with a turn that was halted. */
  before?: RoundsBefore;
}

export interface AgentValue {
  text: string;
  data?: unknown;
  /** Empty in a failure before the agent had told it. */
  sessionId: string;
  usage: AgentUsage;
  filesChanged: string[];
  permissionDenials: PermissionDenial[];
  /** What people were asked for, in order. Absent when they were not. */
  permissions?: PermitDecision[];
  /** What was read of the project for the role, the profile and the skills. */
  instructionFiles?: InstructionFile[];
  /** How each of `verify` went, in its order. */
  verified?: CheckResult[];
}

export interface AgentDeps extends PerformDeps, SessionDeps, BudgetDeps {
  /** LONGHAUL_HOME: the agents' own folders are under it, outside every tree. */
  home: string;
  /** The `claude` binary to use instead of the one that the Agent SDK carries. */
  claudeBin?: string | undefined;
  /** Agents of all projects may be given the permission `bypassPermissions`. @default false: of those whose settings say so */
  allowBypass?: boolean | undefined;
  /** The `codex` binary to use instead of the one on PATH. */
  codexBin?: string | undefined;
  /** Left out: each turn meets its account's limit by itself. */
  accountLimits?: AccountLimits | undefined;
  /** The `gemini` binary to use instead of the one on PATH. */
  geminiBin?: string | undefined;
  /** The `grok` binary to use instead of the one on PATH. */
  grokBin?: string | undefined;
  /** The tree that a step leaves. */
  snapshotTree?: ((call: Call<unknown>) => Promise<TreeRef | undefined>) | undefined;
}

/**
 * Give a coding agent a task in the run's tree. When its worker is lost, the next one goes on in the same
 * session instead of beginning again. For a tool that a person has to allow the turn halts, where somebody may be asked; else it
 * is refused and listed.
 *
 * @throws {ApplicationFailure} besides those of `perform`: `agent_api_error`, `agent_refused`, `agent_max_turns`,
 *   `agent_schema_failed`, `agent_failed`, `agent_not_installed`, `budget_exceeded`, and before anything is asked `agent_files_invalid`, `agent_unsupported` (the agent cannot do what is asked of it) and
 *   `permission_not_allowed`; `plan_wrote_files` (a step with permission `plan` changed the tree), `agent_unverified` (what `verify` names is not so). The detail's `output` is the AgentValue as far as there is one.
 */
export function createAgentActivity(deps: AgentDeps): (call: Call<AgentInput>) => Promise<Outcome<AgentValue | Halted>> {
  return (call) => {
    let task: AgentTask | undefined;
    const tree = async () => (task?.permission === "plan" ? undefined : deps.snapshotTree?.(call));
    return perform(deps, "the agent", call, { tree, needsSettings: true, isValue: (value) => !isHalted(value) }, async (work) => {
      const input = await withInstructions(call, work);
      task = input;
      return inTree(call, { writes: input.permission !== "plan" }, () => converse(deps, { ...call, input }, work));
    });
  };
}

function isHalted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "halt" in value;
}
