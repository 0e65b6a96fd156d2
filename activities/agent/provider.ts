import type { AgentName } from "../../contract/agent-provider.js";
import type { Left, Measure } from "../../contract/budget.js";
import type { Halt } from "../../contract/halt.js";
import type { Json } from "../../contract/json.js";
import type { Marks } from "../marks.js";
import type { AgentFailure, AgentUsage, PermissionDenial } from "./answer.js";
import type { AgentMcpServer } from "./mcp-servers.js";
import type { Permit } from "./permit.js";

export type Permission = "default" | "plan" | "acceptEdits" | "bypassPermissions";

/** One turn, as it is asked of any provider. What a provider cannot do has been refused before: `unsupportedBy`. */
export interface AgentRequest {
  prompt: string;
  /** The run's tree. */
  cwd: string;
  permission: Permission;
  model?: string | undefined;
  /** Added to the agent's own. */
  systemPrompt?: string | undefined;
  maxTurns?: number | undefined;
  /** What may be spent in it. An agent that cannot be ended at that tells at its end what it has spent. @default no limit */
  left?: Left | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  /** The agent reads what the repository has for it: instructions, settings, hooks. @default false */
  trustRepository?: boolean | undefined;
  /** JSON schema of the answer. */
  schema?: Record<string, unknown> | undefined;
  /** What it may use besides its own tools; it has no other servers. */
  mcpServers?: readonly AgentMcpServer[] | undefined;
  /** An earlier session of this run to go on with. */
  resume?: string | undefined;
  /** Go on with a copy of it: it stays as it is. */
  fork?: boolean | undefined;
  /** What a session is told that is continued. @default CONTINUE */
  goOn?: string | undefined;
  /** Decides on each request that the permission does not cover. */
  permit: Permit;
  /** Somebody may be asked by it: the agent's own ways of asking people are open. @default false */
  attended?: boolean | undefined;

  /** The agent's folder for this run: settings and transcripts, outside the tree. */
  configDir: string;
  /** Where the session of this step is written down. */
  sessionFile: string;
  /** Names this attempt, the same for every worker that tries it. */
  lineage: string;
  /** What all processes of this attempt, and no others, carry. */
  marks: Marks & Record<string, string>;
  /** The agent's binary to use instead of the one that is found. */
  binary?: string | undefined;
  /** Stops the agent and all its children. */
  signal: AbortSignal;
  /** Told of each thing as it happens. */
  watch(event: AgentEvent): void;
}

export type AgentEvent =
  | { type: "session"; sessionId: string; resumed: boolean }
  | { type: "text"; text: string }
  | { type: "tool"; id: string; tool: string; input: Json }
  | { type: "tool_result"; id: string; output: string; isError: boolean }
  /** Something that the reader of the log should know, and that ends nothing. */
  | { type: "warning"; text: string }
  | { type: "stderr"; text: string }
  /** Something arrived; for idle timeouts. */
  | { type: "alive" };

export interface AgentEnd {
  /** Null when it ended before the agent had told it. */
  sessionId: string | null;
  /** The transcript's file, absolute; null when it never began. */
  transcript: string | null;
  /** `stopped`: by the signal. */
  status: "completed" | "failed" | "stopped" | "halted";
  /** Why it halted. */
  halt?: Halt;
  /** What was left of this is spent, and the agent had not finished. */
  spentUp?: Measure;
  text: string;
  data?: unknown;
  usage: AgentUsage;
  permissionDenials: PermissionDenial[];
  failure: AgentFailure | null;
}

/** A coding agent that steps can be given to. What it can do of what may be asked is in `AGENTS`. */
export interface AgentProvider {
  name: AgentName;
  /** Its variables that nobody may read in a log, transcript or row. */
  credentials: readonly string[];
  /** The variable that says where its model is. */
  address: string;
  /**
   * One turn in a run's tree, as real processes in a group of their own, which do not outlive it.
   *
   * Called again with the same lineage after its worker died, it goes on in the same session. How it went is in
   * the result, whatever the process's exit code was; it throws for nothing that the agent or the model did.
   *
   * @throws {AgentNotInstalledError}
   */
  run(request: AgentRequest): Promise<AgentEnd>;
}

/** The agent is not on this machine; the message says what lacks and what to do. */
export class AgentNotInstalledError extends Error {
  override readonly name = "AgentNotInstalledError";
}

/** What an interrupted session is told: its first prompt is there already, and so are the effects of its tools. */
export const CONTINUE =
  "Continue where you left off. You were interrupted; what you have already done is still there. " +
  "If you had finished, give your final answer again.";

/** Of a turn that told nothing. */
export const NO_USAGE: AgentUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  cost_usd: 0,
  turns: 0,
  model: null,
};

/** Of an agent that would begin another session when it is asked to go on with one that it does not have. */
export function strangeSession(title: string, sessionId: string): AgentEnd {
  return {
    sessionId,
    transcript: null,
    status: "failed",
    text: "",
    usage: { ...NO_USAGE, cost_usd: null },
    permissionDenials: [],
    failure: { type: "agent_failed", message: `The session ${sessionId} is none of ${title}'s in this run.` },
  };
}
