/**
 * What becomes of the answers of a panel, agents that are asked the same at the same time. `all`: every one of them is
 * needed; `race`: the first that comes, and the other agents are stopped; `majority`: the one that more than half of the agents give.
 */
export const PANEL_STRATEGIES = ["all", "race", "majority"] as const;
export type PanelStrategy = (typeof PANEL_STRATEGIES)[number];

/** Members of a panel. */
export const LEAST_MEMBERS = 2;
export const MOST_MEMBERS = 10;

/** As a member of a panel may be called: its name is a part of its step's key. */
export const MEMBER_NAME = /^[\p{L}\p{N}_-]+$/u;

/** How a member is called where nobody has given it a name: as its provider is, else as its role. */
export function memberName({ provider, role }: { provider?: string | undefined; role?: string | undefined }): string {
  return (provider ?? role ?? "agent").replace(/[^\p{L}\p{N}_-]+/gu, "-");
}

/** The key of a member's own step. */
export function memberKey(key: string, name: string): string {
  return `${key}.${name}`;
}

/** Agents of a panel work in one tree: why none of them may write. */
export function panelMayNotWrite(permission: string): string {
  return `Agents that work at the same time share one tree, and would write over each other's work: they may only read. Leave the permission "${permission}" out, or write "plan".`;
}
