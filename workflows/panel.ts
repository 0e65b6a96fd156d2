import { CancellationScope } from "@temporalio/workflow";
import { isAgentName, unsupportedBy } from "../contract/agent-provider.js";
import type { Json, JsonObject } from "../contract/json.js";
import {
  LEAST_MEMBERS,
  MEMBER_NAME,
  MOST_MEMBERS,
  memberKey,
  memberName,
  PANEL_STRATEGIES,
  panelMayNotWrite,
} from "../contract/panel.js";
import type { AgentResult } from "../sdk/context.js";
import type { PanelAnswer, PanelAnswers, PanelMember, PanelOptions } from "../sdk/panel.js";
import { StepFailed } from "../sdk/step-failed.js";
import { type AgentStepOptions, agentStep, unavailable } from "./agent-step.js";
import { defined } from "./call.js";
import { SkippedByHand } from "./controls.js";
import type { Engine } from "./engine.js";
import { type PanelRule, type PanelVerdict, type PanelVoice, verdictOf } from "./panel-verdict.js";
import { timed } from "./timed.js";

/** A member that has a name. */
export type Member = PanelMember & { name: string };

export interface Panel extends PanelRule {
  members: readonly Member[];
}

/** Asks one member; `stopped` says why it was stopped, once it is. */
type Ask = (member: Member, stopped: () => string | undefined) => Promise<AgentResult>;

/** What came of the members: answers in the order in which they came, and what the others failed with. */
interface Heard {
  voices: (PanelVoice & { answer: AgentResult })[];
  failures: Map<string, unknown>;
  verdict: PanelVerdict | undefined;
}

/**
 * `ctx.agents`: a panel as an author's code asks for it.
 *
 * @throws {StepFailed} `invalid_input` before anything is asked, else as `panelStep` does.
 */
export async function askPanel(
  engine: Engine,
  key: string,
  prompt: string,
  options: PanelOptions,
): Promise<PanelAnswers | PanelAnswer> {
  const { providers, strategy = "all", agreeOn, permission = "plan", ...rest } = options;
  const refuse = (message: string): never => {
    throw new StepFailed(key, "invalid_input", message);
  };
  const members = (Array.isArray(providers) ? providers : []).map((said: string | PanelMember): Member => {
    const member = typeof said === "string" ? ({ provider: said } as PanelMember) : said; // an unknown name is refused by its step
    return { ...member, name: member.name ?? memberName(member) };
  });
  if (members.length < LEAST_MEMBERS || members.length > MOST_MEMBERS)
    refuse(`"providers" of "${key}" must be ${LEAST_MEMBERS} to ${MOST_MEMBERS} agents, not ${members.length}.`);
  for (const [i, { name }] of members.entries()) {
    if (!MEMBER_NAME.test(name)) refuse(`"${name}" cannot be the name of an agent of "${key}": use letters, digits, - and _.`);
    if (members.findIndex((other) => other.name === name) < i)
      refuse(`Two agents of "${key}" are called "${name}". Give one a name of its own: { provider: …, name: … }.`);
  }
  if (!PANEL_STRATEGIES.includes(strategy))
    refuse(`"strategy" of "${key}" must be one of ${PANEL_STRATEGIES.join(", ")}, not ${JSON.stringify(strategy)}.`);
  if (permission !== "plan") refuse(panelMayNotWrite(permission));
  const fields = typeof agreeOn === "string" ? [agreeOn] : agreeOn;
  if (fields && (strategy !== "majority" || fields.length === 0))
    refuse(`"agreeOn" of "${key}" names fields for the strategy "majority".`);
  return panelStep(engine, key, { members, strategy, agreeOn: fields }, prompt, rest);
}

/**
 * Ask several agents the same at the same time, each in a step of its own, all of them within one step that has what
 * came of it. They share the run's tree, so they only read. It is over when nothing of any of them is at work any more.
 *
 * @returns the answers by name, where all are needed; else the one that was found.
 * @throws {StepFailed} with `{ answers, failures }` as output: where all are needed the type of the first that failed;
 *   `all_agents_failed` when a race has no answer; `no_majority`.
 */
export async function panelStep(
  engine: Engine,
  key: string,
  panel: Panel,
  prompt: string,
  { name, phase, if: condition, ...options }: AgentStepOptions,
  checks?: Parameters<typeof agentStep>[5],
): Promise<PanelAnswers | PanelAnswer> {
  const { members, strategy, agreeOn } = panel;
  for (const { provider } of members) {
    if (provider === undefined) continue;
    if (!isAgentName(provider)) throw unavailable(key, provider);
    const unsupported = unsupportedBy(provider, options);
    if (unsupported) throw new StepFailed(key, "agent_unsupported", unsupported);
  }
  const said = members.map((member) => defined({ ...member }));
  const input = { providers: said, strategy, ...defined({ agreeOn }), prompt, permission: "plan" } as object as JsonObject; // options are JSON by their types
  const ask: Ask = ({ name: who, provider, role, model }, stopped) =>
    agentStep(
      engine,
      memberKey(key, who),
      provider,
      prompt,
      {
        ...options,
        ...defined({ role, model, phase, name: name && `${name}: ${who}` }),
        permission: "plan",
        stopped,
      },
      checks,
    );
  const own = defined({ name, phase, if: condition });
  return engine.step({ kind: "agent", key, options: own, input, gathers: true }, () =>
    timed(async () => resultOf(key, panel, await hear(panel, ask))),
  );
}

/** All members have ended when it returns: those that are not needed any more are stopped. */
async function hear(panel: Panel, ask: Ask): Promise<Heard> {
  const heard: Heard = { voices: [], failures: new Map(), verdict: undefined };
  const stopped = () => heard.verdict && `Its answer was not needed any more: ${heard.verdict.agreed.join(", ")} had decided.`;
  const scopes = panel.members.map(() => new CancellationScope());
  const listen = async (member: Member, scope: CancellationScope) => {
    try {
      const answer = await scope.run(() => ask(member, stopped));
      if (heard.verdict) return;
      if (answer === undefined) throw skippedMember(member); // by a person
      heard.voices.push({ name: member.name, answer });
      heard.verdict = verdictOf(panel, panel.members.length, heard.voices);
      if (heard.verdict) for (const other of scopes) other.cancel(); // does nothing to what is over
    } catch (error) {
      heard.failures.set(member.name, error instanceof SkippedByHand ? skippedMember(member) : error);
    }
  };
  await Promise.all(scopes.map((scope, i) => listen(panel.members[i] as Member, scope)));
  return heard;
}

function skippedMember({ name }: Member): StepFailed {
  return new StepFailed(name, "skipped", "Somebody has skipped it.");
}

function resultOf(key: string, { members, strategy }: Panel, { voices, failures, verdict }: Heard): PanelAnswers | PanelAnswer {
  const winner = voices.find(({ name }) => name === verdict?.winner);
  if (verdict && winner) return { ...winner.answer, ...verdict };
  const other = [...failures.values()].find((error) => !(error instanceof StepFailed));
  if (other !== undefined) throw other; // the run is stopped, or it is none of a step
  const failed = members.flatMap(({ name }) => {
    const error = failures.get(name);
    return error instanceof StepFailed ? [{ name, error }] : [];
  });
  const byName = new Map(voices.map(({ name, answer }) => [name, answer]));
  const answers = Object.fromEntries(members.flatMap(({ name }) => (byName.has(name) ? [[name, byName.get(name)]] : [])));
  const [first] = failed;
  if (strategy === "all" && !first) return answers as PanelAnswers;
  const reasons = failed.map(({ name, error }) => `${name}: ${error.message}`);
  const output = {
    answers: answers as unknown as Json,
    failures: Object.fromEntries(failed.map(({ name, error: { type, message } }) => [name, { type, message }])),
  };
  if (strategy === "all") throw new StepFailed(key, first?.error.type ?? "error", reasons.join(" "), output);
  if (strategy === "race") {
    const message = `None of the ${members.length} agents has answered. ${reasons.join(" ")}`;
    throw new StepFailed(key, "all_agents_failed", message, output);
  }
  const votes = voices.length === members.length ? "" : ` ${voices.length} of them answered. ${reasons.join(" ")}`;
  throw new StepFailed(
    key,
    "no_majority",
    `No answer is that of more than half of the ${members.length} agents.${votes}`,
    output,
  );
}
