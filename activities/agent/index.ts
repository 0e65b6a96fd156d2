import { join } from "node:path";
import type { Call, Outcome } from "../../contract/activity.js";
import { type AgentName, abilitiesOf, isNamedAgent, unsupportedBy } from "../../contract/agent-provider.js";
import type { AgentSessionRow, SessionChoice } from "../../contract/agent-session.js";
import type { Budget } from "../../contract/budget.js";
import type { TreeRef } from "../../contract/fact.js";
import type { Halted, RoundsBefore } from "../../contract/halt.js";
import type { InstructionFile } from "../../contract/instruction-file.js";
import type { Json } from "../../contract/json.js";
import type { PermitAsking, PermitDecision } from "../../contract/permit.js";
import type { Check, CheckResult } from "../../contract/verify.js";
import { StepFailure } from "../failure.js";
import { folderInside } from "../inside.js";
import { type PerformDeps, perform, type Work } from "../perform.js";
import type { SecretMask } from "../secret-mask.js";
import type { AgentUsage, PermissionDenial } from "./answer.js";
import { type AgentBudgets, type BudgetDeps, turnBudget } from "./budget.js";
import { type AccountLimits, accountOf, limitsOf } from "./limit.js";
import { mcpServersOf } from "./mcp-servers.js";
import { createPermit, toldOf } from "./permit.js";
import { denialsOf, permissionsOf } from "./permit-record.js";
import { takeBack } from "./plan-tree.js";
import { AgentNotInstalledError, type AgentRequest, type Permission } from "./provider.js";
import { agentFolder, agentProvider, credentialMask } from "./providers.js";
import { withRepair } from "./repair.js";
import { type AgentTask, withInstructions } from "./role.js";
import { type SessionDeps, SessionTeller } from "./tell-session.js";
import { Trail } from "./trail.js";
import { keepTranscript } from "./transcript.js";
import { changedFiles, treeState } from "./tree-state.js";
import { beginTurn } from "./turn-start.js";
import { describeUnmet, refuseUncheckable, verify } from "./verify.js";
import { type WorkedEnd, withinBudget } from "./within-budget.js";

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

const FILES_LISTED = 500;

const SESSION_STATUS = { completed: "completed", failed: "failed", stopped: "cancelled", halted: "running" } as const;

const NOT_BY_DEFAULT =
  "What nobody has answered is not allowed here (ask, default: allow): it would be the permission bypassPermissions, a little later. " +
  "Set LONGHAUL_ALLOW_BYPASS=on where Longhaul is started, or leave the default out.";

const NOT_ALLOWED =
  'The permission "bypassPermissions" lets an agent run any command unasked, and is not allowed here. ' +
  'Allow it for the project with "longhaul projects set <project> allow_bypass=true", for all with LONGHAUL_ALLOW_BYPASS=on ' +
  "where Longhaul is started, or give the step the permission acceptEdits.";

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
      task = await withInstructions(call, work);
      return converse(deps, { ...call, input: task }, work);
    });
  };
}

function isHalted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "halt" in value;
}

/** One task for the agent, inside any step. @throws {StepFailure} as the agent activity does. */
export async function converse(deps: AgentDeps, call: Call<AgentTask>, work: Work): Promise<AgentValue | Halted> {
  const { run, step, input } = call;
  const { provider, permission = "default", verify: checks = [] } = input;
  const unsupported = unsupportedBy(provider, { ...input, budgetUsd: input.budget?.usd });
  if (unsupported !== null) throw new StepFailure("agent_unsupported", unsupported);
  const mayBypass = deps.allowBypass || work.settings.allow_bypass;
  if (permission === "bypassPermissions" && !mayBypass) throw new StepFailure("permission_not_allowed", NOT_ALLOWED);
  if (input.ask?.default === "allow" && !mayBypass) throw new StepFailure("permission_not_allowed", NOT_BY_DEFAULT);
  const decided = input.before?.permits?.map((permit) => ({ ...permit })) ?? [];
  const lineage = input.before?.lineage ?? work.marks.LONGHAUL_OPERATION ?? `${step.id}:${call.attempt}`;
  const env = { ...work.env, ...input.env };
  const place = { project_path: run.project_path, workspace_path: run.workspace.path };
  const given = await mcpServersOf(input.mcpServers ?? [], place, work.signal);
  const secrets = work.mask.with(credentialMask({ ...process.env, ...env }, given.secrets));
  const mask = secrets.text;
  const session: AgentSessionRow = {
    id: `${step.id}-s${lineage.slice(lineage.lastIndexOf(":") + 1)}`,
    run_id: run.run_id,
    step_id: step.id,
    name: input.name ?? null,
    agent: input.provider,
    model: input.model ?? null,
    provider_session_id: null,
    status: "running",
    session_file_path: null,
    usage: null,
  };
  const trail = new Trail(
    work.log,
    { run_id: run.run_id, step_id: step.id, agent_session_id: session.id },
    secrets,
    run.workspace.path,
    input.before?.tool_calls,
  );
  const teller = new SessionTeller(deps, session);
  const folder = join(deps.home, "agents", run.run_id);
  await folderInside(run.workspace.path, undefined);
  await refuseUncheckable(checks, call);
  const limits = limitsOf(deps, accountOf(agentProvider(provider), { ...process.env, ...input.env }, input.model));
  const held = await limits.find();
  const { worked_ms: workedBefore = 0 } = input.before ?? {};
  const before = { lineage, tool_calls: trail.count, worked_ms: workedBefore };
  if (held) return { halt: held, before };
  const budget = await turnBudget(deps, run, input.budgets);
  if (budget.left.usd !== undefined && !abilitiesOf(provider).cost)
    work.log.write("log", `${abilitiesOf(provider).title} does not say what it costs: no budget in dollars counts it.\n`, "warn");
  const reached = budget.reached();
  if (reached?.halt) return { halt: reached.halt, before };
  if (reached) throw new StepFailure("budget_exceeded", reached.message);
  const turn = session.id.slice(run.run_id.length + 1);
  const start = await beginTurn(call, join(folder, `${session.id}-start.json`), { turn, lineage });

  const request: AgentRequest = {
    prompt: input.prompt,
    cwd: run.workspace.path,
    permission,
    model: input.model,
    systemPrompt: input.systemPrompt,
    maxTurns: input.maxTurns && Math.max(1, input.maxTurns - (input.before?.usage?.turns ?? 0)),
    env,
    trustRepository: work.settings.trust_repository,
    schema: input.schema,
    mcpServers: given.servers,
    resume: typeof input.session === "object" ? input.session.fork : input.session,
    fork: typeof input.session === "object",
    goOn: decided.length > 0 ? toldOf(decided.at(-1)!) : undefined,
    permit: createPermit({
      permission,
      attended: input.ask !== undefined,
      granted: input.granted ?? [],
      decided,
      tree: run.workspace.path,
      who: `The agent of "${step.name}"`,
      mask,
    }),
    attended: input.ask !== undefined && permission !== "plan",
    configDir: join(folder, agentFolder(provider)),
    sessionFile: join(folder, `${session.id}.json`),
    lineage,
    marks: work.marks,
    binary: isNamedAgent(provider)
      ? { claude: deps.claudeBin, codex: deps.codexBin, gemini: deps.geminiBin, grok: deps.grokBin }[provider]
      : undefined,
    signal: work.signal,
    watch: (event) => {
      work.alive();
      trail.take(event);
      if (event.type !== "session") return;
      work.tell({ agent_session: event.sessionId });
      teller.begin(event.sessionId);
    },
  };
  const turnOf = (asked: AgentRequest) => withRepair(asked, agentProvider(provider));
  const end = await withinBudget(budget, request, input.before?.usage, turnOf).catch((error: unknown) => {
    if (error instanceof AgentNotInstalledError) throw new StepFailure("agent_not_installed", error.message);
    throw error;
  });
  await teller.settled();

  const worked_ms = workedBefore + end.worked_ms;
  if (end.halt) {
    await leave(call, work, session, { ...end, worked_ms }, trail, secrets);
    const halt = { ...end.halt, message: mask(end.halt.message) };
    await limits.note(halt);
    if (halt.why === "permission") work.log.write("log", `${halt.message}\n`, "warn");
    const permits = decided.length > 0 ? { permits: decided } : {};
    return { halt, before: { ...before, tool_calls: trail.count, worked_ms, usage: end.usage, ...permits } };
  }
  const after = await treeState(run.workspace.path);
  const changed = changedFiles(start.state, after);
  await leave(call, work, session, { ...end, worked_ms }, trail, secrets);
  const value: AgentValue = {
    text: mask(end.text),
    ...(end.data === undefined ? {} : { data: secrets.json(end.data) }),
    sessionId: end.sessionId ?? "",
    usage: end.usage,
    filesChanged: changed.slice(0, FILES_LISTED),
    permissionDenials: secrets.json(denialsOf(decided, end.permissionDenials)),
    ...(decided.length > 0 ? { permissions: permissionsOf(decided) } : {}),
    ...(input.instructionFiles ? { instructionFiles: input.instructionFiles } : {}),
  };
  const wrote = permission === "plan" && (changed.length > 0 || start.state.head !== after.head);
  const putBack = wrote ? await takeBack({ call, work, turn }, start, after) : undefined;
  if (putBack) work.log.write("log", `${putBack}\n`, "warn"); // the failure of a step that was stopped does not say it
  if (end.status === "stopped") throw new StepFailure("cancelled", "The agent was stopped.", value); // perform knows the reason
  if (end.failure) throw new StepFailure(end.failure.type, mask([end.failure.message, putBack].filter(Boolean).join(" ")), value);
  if (wrote) {
    const what = changed.length > 0 ? changed.slice(0, 5).join(", ") : "a commit was made";
    throw new StepFailure("plan_wrote_files", `A step that may only plan changed the tree: ${what}. ${putBack}`, value);
  }
  if (checks.length === 0) return value;
  const verified = (await verify(checks, { call, work, start, after })).map((result) => masked(result, mask));
  if (verified.every(({ ok }) => ok)) return { ...value, verified };
  throw new StepFailure("agent_unverified", describeUnmet(verified), { ...value, verified });
}

function masked(result: CheckResult, mask: (text: string) => string): CheckResult {
  return { ...result, check: mask(result.check), ...(result.seen === undefined ? {} : { seen: mask(result.seen) }) };
}

/** What the outcome reports besides the value: also when it is a failure. */
async function leave(
  { run }: Call<AgentInput>,
  work: Work,
  session: AgentSessionRow,
  end: WorkedEnd,
  trail: Trail,
  mask: SecretMask,
): Promise<void> {
  const transcript = end.transcript === null ? null : await keepTranscript(run, session, end.transcript, mask);
  work.left.artifacts = transcript ? [transcript] : [];
  work.left.tool_calls = trail.rows();
  work.left.sessions = [
    {
      ...session,
      model: end.usage.model ?? session.model,
      provider_session_id: end.sessionId,
      status: SESSION_STATUS[end.status],
      session_file_path: transcript?.file_path ?? null,
      usage: { ...end.usage, worked_ms: end.worked_ms } satisfies Record<string, Json>,
    },
  ];
}
