import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { Spent } from "./spent.js";

const SessionRecord = z.object({
  /** Which attempt the session belongs to. */
  lineage: z.string(),
  /** Null until the agent, where it is the one that chooses, has told it. */
  session_id: z.string().nullable(),
  /** Prompts the transcript held before this attempt's own. */
  prompts_before: z.int(),
  /** Of a session that is a copy: what the one it was made of had counted. */
  forked_total: Spent.optional(),
  began_at: z.string(),
});
type SessionRecord = z.infer<typeof SessionRecord>;

/** How an attempt enters its session. */
export interface SessionEntry<Id extends string | null = string | null> {
  /** Null when the agent has yet to choose it. */
  sessionId: Id;
  /** `new`: it does not exist. `prompt`: it exists, and waits for the prompt. `continue`: it had the prompt and was cut off. */
  mode: "new" | "prompt" | "continue";
  /** Prompts that it held before this attempt's own. */
  promptsBefore: number;
  /** Of a copy: what the session that it was made of had counted. */
  forkedTotal?: Spent | undefined;
}

export interface SessionQuestion<Id extends string | null = string | null> {
  /** Where the record is kept: one file a step. */
  file: string;
  /** The same for every try of one attempt, also after its worker died; another one for another attempt. */
  lineage: string;
  /** An earlier session to go on with. */
  resume?: string | undefined;
  /** Go on with a copy of it instead: what that begins with. */
  fork?: { prompts: number; total?: Spent | undefined } | undefined;
  /** Of a new session or a copy; null where the agent chooses it. */
  sessionId: Id;
  /** How many prompts a session has had, by its transcript. 0 before it has one. */
  promptsIn(sessionId: string): number;
}

/**
 * Decide on the session of an attempt and write it down, fsynced, before the first turn: whoever comes after
 * a lost worker finds it and goes on there instead of beginning again. Where the agent chooses the session's id, it is
 * written down by `noteSession`; a session that was lost before has left nothing to go on with.
 */
export function enterSession(question: SessionQuestion<string>): SessionEntry<string>;
export function enterSession(question: SessionQuestion): SessionEntry;
export function enterSession(question: SessionQuestion): SessionEntry {
  const { file, lineage, resume, fork, promptsIn } = question;
  const known = readRecord(file);
  if (known?.lineage === lineage && known.session_id !== null) {
    const sessionId = known.session_id;
    const start = { promptsBefore: known.prompts_before, forkedTotal: known.forked_total };
    const prompts = promptsIn(sessionId);
    if (prompts > start.promptsBefore) return { sessionId, mode: "continue", ...start };
    if (prompts > 0) return { sessionId, mode: "prompt", ...start };
    if (question.sessionId !== null && !fork) return { sessionId, mode: "new", ...start };
  }
  const sessionId = fork ? question.sessionId : (resume ?? question.sessionId);
  const promptsBefore = fork?.prompts ?? (sessionId === null ? 0 : promptsIn(sessionId));
  const forkedTotal = fork?.total;
  const record = { lineage, session_id: sessionId, prompts_before: promptsBefore, began_at: new Date().toISOString() };
  writeRecord(file, { ...record, ...(forkedTotal ? { forked_total: forkedTotal } : {}) });
  return { sessionId, mode: resume === undefined || fork ? "new" : "prompt", promptsBefore, forkedTotal };
}

/** Write down the id that the agent has chosen, fsynced, the moment it is known. */
export function noteSession(file: string, lineage: string, sessionId: string): void {
  const known = readRecord(file);
  if (known?.lineage !== lineage || known.session_id === sessionId) return;
  writeRecord(file, { ...known, session_id: sessionId });
}

/** A UUID that follows from the lineage alone. */
export function sessionIdFor(lineage: string): string {
  const hex = createHash("sha256").update(lineage).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function readRecord(file: string): SessionRecord | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return SessionRecord.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined; // cut off by a crash of the machine: the attempt had not begun
  }
}

function writeRecord(file: string, record: SessionRecord): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const part = `${file}.part`;
  const handle = openSync(part, "w", 0o600);
  writeSync(handle, JSON.stringify(record));
  fsyncSync(handle);
  closeSync(handle);
  renameSync(part, file);
  const folder = openSync(dirname(file), "r");
  fsyncSync(folder);
  closeSync(folder);
}
