import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";

const SessionRecord = z.object({
  /** Which attempt the session belongs to. */
  lineage: z.string(),
  session_id: z.string(),
  /** Prompts the transcript held before this attempt's own. */
  prompts_before: z.int(),
  began_at: z.string(),
});
type SessionRecord = z.infer<typeof SessionRecord>;

/** How an attempt enters its session. */
export interface SessionEntry {
  sessionId: string;
  /** `new`: it does not exist. `prompt`: it exists, and waits for the prompt. `continue`: it had the prompt and was cut off. */
  mode: "new" | "prompt" | "continue";
}

export interface SessionQuestion {
  /** Where the record is kept: one file a step. */
  file: string;
  /** The same for every try of one attempt, also after its worker died; another one for another attempt. */
  lineage: string;
  /** Claude Code's folder, where the transcripts are. */
  configDir: string;
  /** An earlier session to go on with. */
  resume?: string | undefined;
}

/**
 * Decide on the session of an attempt and write it down, fsynced, before the first turn: whoever comes after
 * a lost worker finds it and goes on there instead of beginning again.
 */
export function enterSession({ file, lineage, configDir, resume }: SessionQuestion): SessionEntry {
  const known = readRecord(file);
  if (known?.lineage === lineage) {
    const prompts = promptsIn(transcriptOf(configDir, known.session_id));
    if (prompts > known.prompts_before) return { sessionId: known.session_id, mode: "continue" };
    return { sessionId: known.session_id, mode: prompts > 0 ? "prompt" : "new" };
  }
  const sessionId = resume ?? sessionIdFor(lineage);
  const before = promptsIn(transcriptOf(configDir, sessionId));
  writeRecord(file, { lineage, session_id: sessionId, prompts_before: before, began_at: new Date().toISOString() });
  return { sessionId, mode: resume === undefined ? "new" : "prompt" };
}

/** A UUID that follows from the lineage alone. */
export function sessionIdFor(lineage: string): string {
  const hex = createHash("sha256").update(lineage).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The session's transcript (JSON lines), or undefined before its first line. */
export function transcriptOf(configDir: string, sessionId: string): string | undefined {
  const projects = join(configDir, "projects");
  if (!existsSync(projects)) return undefined;
  return readdirSync(projects)
    .map((folder) => join(projects, folder, `${sessionId}.jsonl`))
    .find((path) => existsSync(path));
}

function promptsIn(transcript: string | undefined): number {
  if (transcript === undefined) return 0;
  const lines = readFileSync(transcript, "utf8").split("\n");
  return lines.filter((line) => line.includes('"type":"user"') && line.includes('"promptId"') && !line.includes('"tool_result"'))
    .length;
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
