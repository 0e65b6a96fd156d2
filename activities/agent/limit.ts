import { createHash } from "node:crypto";
import type { AgentName } from "../../contract/agent-provider.js";
import type { Halt } from "../../contract/halt.js";
import type { AgentEnd, AgentProvider } from "./provider.js";

/** Clocks differ: how long after the provider's own time it is asked again. */
const LATER_MS = 1_000;

/** A provider answers nobody of an account until then. */
export type UsageLimit = Extract<Halt, { why: "limit" }>;

/** Whom a provider counts usage for, and of which model. */
export interface Account {
  provider: AgentName;
  /** A hash of the credentials: nobody reads them from it. */
  id: string;
  /** As the step names it; empty where it does not. */
  model: string;
}

/** The usage limits that turns have met, as all workers know them. */
export interface AccountLimits {
  /** The limit of the account, or of this model of it, that is not over yet. */
  find(account: Account): Promise<UsageLimit | null>;
  /** Holds every turn of the account, or of this model of it, until then. */
  note(account: Account, limit: UsageLimit): Promise<void>;
}

/** @param at milliseconds since 1970, as the provider says */
export function limitUntil(title: string, at: number, said: string): UsageLimit {
  const message = `The usage limit of ${title}'s account is reached: ${said}`;
  return { why: "limit", until: new Date(at + LATER_MS).toISOString(), message };
}

/** The account that an agent with these variables works on: its credentials, at the address that they are for. */
export function accountOf(
  { name, credentials, address }: Pick<AgentProvider, "name" | "credentials" | "address">,
  env: Readonly<Record<string, string | undefined>>,
  model = "",
): Account {
  const identity = [...credentials, address].map((variable) => env[variable] ?? null);
  return { provider: name, id: createHash("sha256").update(JSON.stringify(identity)).digest("hex"), model };
}

/** What became of a turn that met a limit, where the provider says until when. */
export function haltedBy(halt: UsageLimit): Pick<AgentEnd, "status" | "halt" | "failure"> {
  return { status: "halted", halt, failure: null };
}

/** What is known of an account by all its turns. Where that cannot be asked or told now, a turn meets its limit by itself. */
export function limitsOf(
  {
    accountLimits,
    warn,
  }: { accountLimits?: AccountLimits | undefined; warn?: ((message: string, error: unknown) => void) | undefined },
  account: Account,
) {
  return {
    find: async () =>
      accountLimits
        ?.find(account)
        .catch((error: unknown) => warn?.("Whether an account has reached a usage limit is not known.", error)),
    note: async (halt: Halt) => {
      if (halt.why !== "limit") return;
      await accountLimits
        ?.note(account, halt)
        .catch((error: unknown) => warn?.("That an account has reached its usage limit was not noted.", error));
    },
  };
}
