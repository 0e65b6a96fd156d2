import { type AgentName, unsupportedBy } from "../contract/agent-provider.js";
import { LEAST_MEMBERS, MEMBER_NAME, MOST_MEMBERS, memberName, PANEL_STRATEGIES, panelMayNotWrite } from "../contract/panel.js";
import type { PlanPanel, PlanWork } from "../contract/plan.js";
import { defined } from "./defined.js";
import { type Fields, fieldsOf, type TextRule } from "./fields.js";
import type { Mapping, Node } from "./node.js";
import { providerOf } from "./providers.js";

type Member = PlanPanel["members"][number];

/** Names of members and of fields of their answers. */
const WORD: TextRule = { pattern: { matches: MEMBER_NAME, words: 'letters, digits, "-" and "_"' }, max: 100 };

/** The agents of `mode: parallel`, and what becomes of their answers. */
export function panelOf(fields: Fields): PlanPanel | undefined {
  const isParallel = fields.oneOf("mode", ["sequential", "parallel"]) === "parallel";
  const strategyKey = fields.either("strategy", "parallel_strategy");
  const strategy = fields.oneOf(strategyKey, PANEL_STRATEGIES) ?? "all";
  const agree_on = fields.value("agree_on")?.kind === "list" ? fields.texts("agree_on", WORD) : oneText(fields, "agree_on");
  const nodes = fields.list("providers");
  if (!isParallel) {
    for (const key of ["providers", strategyKey, "agree_on"].filter((each) => fields.has(each))) {
      fields.problem(key, `"${key}" is of stages with several agents: say "mode: parallel", too, or leave it out.`);
    }
    return undefined;
  }
  if (!fields.has("providers")) {
    fields.problem("mode", '"mode: parallel" needs "providers", a list of the agents that are asked at the same time.');
  }
  if (agree_on?.length === 0) fields.problem("agree_on", '"agree_on" names no field. Name one, or leave it out.');
  if (agree_on && strategy !== "majority") {
    fields.problem("agree_on", `"agree_on" is of "strategy: majority"; with "${strategy}" nobody has to agree.`);
  }
  return { members: membersOf(fields, nodes ?? []), strategy, ...defined({ agree_on }) };
}

/** The work of a panel: it only reads, and nobody else does it. */
export function panelWork(fields: Fields, work: PlanWork & { kind: "agent" }, panel: PlanPanel): PlanWork & { kind: "agent" } {
  for (const key of ["provider", "agent"].filter((each) => fields.has(each))) {
    fields.problem(key, `"providers" says who does it. Leave "${key}" out.`);
  }
  const { provider: _, default_permission: __, permission = "plan", ...rest } = work;
  if (permission !== "plan") fields.problem("permission", panelMayNotWrite(permission));
  for (const { provider } of panel.members) {
    const unsupported = provider && unsupportedBy(provider as AgentName, { maxTurns: work.max_turns }); // only those that run are read
    if (unsupported) fields.problem("max_turns", unsupported);
  }
  return { ...rest, panel, permission: "plan" };
}

function membersOf(fields: Fields, nodes: readonly Node[]): Member[] {
  if (fields.has("providers") && (nodes.length < LEAST_MEMBERS || nodes.length > MOST_MEMBERS)) {
    fields.problem("providers", `"providers" has ${LEAST_MEMBERS} to ${MOST_MEMBERS} agents, not ${nodes.length}.`);
  }
  const names = new Set<string>();
  return nodes.flatMap((node) => {
    const member = memberOf(fields, node);
    if (!member) return [];
    if (names.has(member.name)) {
      fields.reading.problems.add(
        node,
        `Two of "providers" are called "${member.name}". Give one a "name" of its own: { provider: …, name: … }.`,
      );
    }
    names.add(member.name);
    return [member];
  });
}

/** A provider's name, or a map of what is said of a member. */
function memberOf({ reading }: Fields, node: Node): Member | undefined {
  const fields = fieldsOf(node.kind === "scalar" ? providerBlock(node) : node, reading, 'one of "providers"');
  if (!fields) return undefined;
  const said = fields.text("provider");
  const found = said === undefined ? undefined : providerOf(said);
  if (found && "problem" in found) fields.problem("provider", found.problem);
  const provider = found && "provider" in found ? found.provider : undefined;
  const role = fields.chosen("role", { max: 200 });
  const name = fields.text("name", WORD);
  const model = fields.chosen("model", { max: 200 });
  if (!fields.has("provider") && !fields.has("role")) {
    reading.problems.add(node, 'One of "providers" says not who it is: give it a "provider", or a "role" whose file names one.');
  }
  fields.rest();
  return {
    name: name ?? memberName({ provider, role: typeof role === "string" ? role : undefined }),
    ...defined({ provider, role, model }),
  };
}

/** A member of which nothing is said but its provider. */
function providerBlock(node: Node): Mapping {
  const { path, line, column } = node;
  return { path, line, column, kind: "map", entries: [{ key: "provider", at: node, value: node }] };
}

function oneText(fields: Fields, key: string): string[] | undefined {
  const text = fields.text(key, WORD);
  return text === undefined ? undefined : [text];
}
