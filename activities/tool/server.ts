import type { Call } from "../../contract/activity.js";
import type { Json, JsonObject } from "../../contract/json.js";
import type { ToolInput } from "../../contract/tool.js";
import type { Work } from "../perform.js";

/** A tool as its server describes it. */
export interface ToolInfo {
  name: string;
  description?: string | undefined;
  /** JSON schema of its params. */
  inputSchema: JsonObject;
  /** The server says that it changes nothing. */
  readOnly?: boolean | undefined;
}

/** What a tool says: `structured` for programs, `content` for readers, as MCP has them. */
export interface ToolAnswer {
  content: ToolContent[];
  structured?: Json | undefined;
  isError: boolean;
}

export type ToolContent = { type: string; [field: string]: unknown };

/** For whom a tool is called. */
export interface ToolUse {
  call: Call<ToolInput>;
  work: Work;
  /** Hides the server's secrets. */
  mask(text: string): string;
  /** Makes the run's tree when it is not there; the step then leaves it as a checkpoint. */
  openTree(): Promise<void>;
}

/** Something with tools, in a process of its own or not. */
export interface ToolServer {
  /** False when it takes no more calls. */
  readonly alive: boolean;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  tools(): Promise<readonly ToolInfo[]>;
  /**
   * Params that fit the tool's schema are given to a tool that is there.
   *
   * @throws the signal's reason; {StepFailure} `tool_server_lost`, `tool_failed`, or a built-in tool's own.
   */
  call(tool: string, params: JsonObject, use: ToolUse): Promise<ToolAnswer>;
  close(): Promise<void>;
}

/** A server that may have to be started. */
export interface ServerSpec {
  name: string;
  /** The same for those who may share it. */
  key: string;
  /** Texts of its settings that nobody may read in a log or a row. */
  secrets: readonly string[];
  /** It works in the run's own tree. */
  usesTree: boolean;
  /**
   * @param stop aborted when it is not wanted any more.
   * @throws {StepFailure} `tool_server_failed`.
   */
  start(stop?: AbortSignal): Promise<ToolServer>;
}
