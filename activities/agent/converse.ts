import { join } from "node:path";
import type { Call } from "../../contract/activity.js";
import { abilitiesOf, isNamedAgent, unsupportedBy } from "../../contract/agent-provider.js";
import type { AgentSessionRow } from "../../contract/agent-session.js";
import type { Halted, RoundsBefore } from "../../contract/halt.js";
import { StepFailure } from "../failure.js";
import { folderInside } from "../inside.js";
import type { Work } from "../perform.js";
import { turnBudget } from "./budget.js";
import { conclude, leave, type Talked } from "./conclude.js";
import type { AgentDeps, AgentValue } from "./index.js";
import { accountOf, limitsOf } from "./limit.js";
import { mcpServersOf } from "./mcp-servers.js";
import { createPermit, toldOf } from "./permit.js";
import { AgentNotInstalledError, type AgentRequest } from "./provider.js";
import { agentFolder, agentProvider, credentialMask } from "./providers.js";
import { withRepair } from "./repair.js";
import type { AgentTask } from "./role.js";
import { SessionTeller } from "./tell-session.js";
import { Trail } from "./trail.js";
import { beginTurn } from "./turn-start.js";
import { refuseUncheckable } from "./verify.js";
import { withinBudget } from "./within-budget.js";

const HOW_TO_ALLOW =
  'Allow it for the project with "longhaul projects set <project> allow_bypass=true", for all with LONGHAUL_ALLOW_BYPASS=on where Longhaul is started';

const NOT_BY_DEFAULT =
  "What nobody has answered is not allowed here (ask, default: allow): it would be the permission bypassPermissions, a little later. " +
  `${HOW_TO_ALLOW}, or leave the default out.`;

const NOT_ALLOWED =
  'The permission "bypassPermissions" lets an agent run any command unasked, and is not allowed here. ' +
  `${HOW_TO_ALLOW}, or give the step the permission acceptEdits.`;

/** One task for the agent, inside any step. @throws {StepFailure} as the agent activity does. */
export async function converse(deps: AgentDeps, call: Call<AgentTask>, work: Work): Promise<AgentValue | Halted> {
  const { run, step, input } = call;
  const { provider, verify: checks = [] } = input;
  refuseUnallowed(deps, call, work);
  const lineage = input.before?.lineage ?? work.marks.LONGHAUL_OPERATION ?? `${step.id}:${call.attempt}`;
  const env = { ...work.env, ...input.env };
  const place = { project_path: run.project_path, workspace_path: run.workspace.path };
  const { servers, secrets: hidden } = await mcpServersOf(input.mcpServers ?? [], place, work.signal);
  const secrets = work.mask.with(credentialMask({ ...process.env, ...env }, hidden));
  const session = sessionOf(call, lineage);
  const owner = { run_id: run.run_id, step_id: step.id, agent_session_id: session.id };
  const trail = new Trail(work.log, owner, secrets, run.workspace.path, input.before?.tool_calls);
  const folder = join(deps.home, "agents", run.run_id);
  await folderInside(run.workspace.path, undefined);
  await refuseUncheckable(checks, call);

  const { stopped = false, despite_limit = false, ...earlier } = input.before ?? {};
  const before: RoundsBefore = { worked_ms: 0, ...earlier, lineage, tool_calls: trail.count };
  const limits = limitsOf(deps, accountOf(agentProvider(provider), { ...process.env, ...env }, input.model));
  const held = despite_limit ? undefined : await limits.find();
  if (held) return { halt: held, before };
  const budget = await turnBudget(deps, run, input.budgets);
  const { title, cost } = abilitiesOf(provider);
  if (budget.left.usd !== undefined && !cost)
    work.log.write("log", `${title} does not say what it costs: no budget in dollars counts it.\n`, "warn");
  const reached = budget.reached();
  if (reached?.halt) return { halt: reached.halt, before };
  if (reached) throw new StepFailure("budget_exceeded", reached.message);

  const turn = session.id.slice(run.run_id.length + 1);
  const start = await beginTurn(call, join(folder, `${session.id}-start.json`), { turn, lineage });
  const teller = new SessionTeller(deps, session);
  const decided = before.permits?.map((permit) => ({ ...permit })) ?? [];
  const request: AgentRequest = {
    ...asked(call, work),
    env,
    mcpServers: servers,
    goOn: decided.length > 0 && !stopped ? toldOf(decided.at(-1)!) : undefined,
    permit: createPermit({
      permission: input.permission ?? "default",
      attended: input.ask !== undefined,
      granted: input.granted ?? [],
      decided,
      tree: run.workspace.path,
      who: `The agent of "${step.name}"`,
      mask: secrets.text,
    }),
    configDir: join(folder, agentFolder(provider)),
    sessionFile: join(folder, `${session.id}.json`),
    lineage,
    binary: isNamedAgent(provider)
      ? { claude: deps.claudeBin, codex: deps.codexBin, gemini: deps.geminiBin, grok: deps.grokBin }[provider]
      : undefined,
    watch: (event) => {
      work.alive();
      trail.take(event);
      if (event.type !== "session") return;
      work.tell({ agent_session: event.sessionId });
      teller.begin(event.sessionId);
    },
  };
  const turnOf = (each: AgentRequest) => withRepair(each, agentProvider(provider));
  const end = await withinBudget(budget, request, before.usage, turnOf).catch((error: unknown) => {
    if (error instanceof AgentNotInstalledError) throw new StepFailure("agent_not_installed", error.message);
    throw error;
  });
  await teller.settled();

  const worked_ms = before.worked_ms + end.worked_ms;
  const permits = decided.length > 0 ? { permits: decided } : {};
  const further = { ...before, tool_calls: trail.count, worked_ms, usage: end.usage, ...permits };
  const talked: Talked = { call, work, end: { ...end, worked_ms }, session, trail, secrets, decided, before: further };
  if (!end.halt) return conclude(talked, turn, start);
  await leave(talked);
  const halt = { ...end.halt, message: secrets.text(end.halt.message) };
  await limits.note(halt);
  if (halt.why === "permission") work.log.write("log", `${halt.message}\n`, "warn");
  return { halt, before: further };
}

/** What the step itself says of its turn. */
function asked({ run, input }: Call<AgentTask>, { settings, marks, signal }: Work) {
  const { permission = "default", maxTurns, before, session } = input;
  return {
    prompt: input.prompt,
    cwd: run.workspace.path,
    permission,
    model: input.model,
    systemPrompt: input.systemPrompt,
    maxTurns: maxTurns && Math.max(1, maxTurns - (before?.usage?.turns ?? 0)),
    trustRepository: settings.trust_repository,
    schema: input.schema,
    resume: typeof session === "object" ? session.fork : session,
    fork: typeof session === "object",
    attended: input.ask !== undefined && permission !== "plan",
    marks,
    signal,
  };
}

/** Before anything is spent. */
function refuseUnallowed({ allowBypass }: AgentDeps, { input }: Call<AgentTask>, { settings }: Work): void {
  const unsupported = unsupportedBy(input.provider, { ...input, budgetUsd: input.budget?.usd });
  if (unsupported !== null) throw new StepFailure("agent_unsupported", unsupported);
  if (allowBypass || settings.allow_bypass) return;
  if (input.permission === "bypassPermissions") throw new StepFailure("permission_not_allowed", NOT_ALLOWED);
  if (input.ask?.default === "allow") throw new StepFailure("permission_not_allowed", NOT_BY_DEFAULT);
}

function sessionOf({ run, step, input }: Call<AgentTask>, lineage: string): AgentSessionRow {
  return {
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
}
