import { z } from "zod";
import type { Json } from "./json.js";

/** Which conversation a step goes on with, by an earlier answer's `sessionId`; or `fork`: with a copy of it, and it stays as it is. */
export const SessionChoice = z.union([z.string().min(1), z.strictObject({ fork: z.string().min(1) })]);
export type SessionChoice = z.infer<typeof SessionChoice>;

/** A conversation with an agent, as its row is told. Paths are relative to the project. */
export interface AgentSessionRow {
  id: string;
  run_id: string;
  step_id: string;
  name: string | null;
  agent: string;
  model: string | null;
  /** The provider's own id, by which the session is resumed. */
  provider_session_id: string | null;
  status: "running" | "completed" | "failed" | "cancelled";
  session_file_path: string | null;
  usage: Json;
}

/** One tool call of an agent or of a tool step. */
export interface ToolCallRow {
  id: string;
  run_id: string;
  step_id: string;
  agent_session_id: string | null;
  tool: string;
  input: Json;
  output: Json;
  is_error: boolean;
  at: string;
}
