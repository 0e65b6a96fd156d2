import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { and, asc, eq, gt } from "drizzle-orm";
import { z } from "zod";
import { Json } from "../contract/json.js";
import type { Database } from "./database.js";
import { inTurn } from "./in-turn.js";
import { appendRunFile, parseLines, readRunFile, runFolder } from "./run-folder.js";
import { events } from "./schema.js";

const FILE = "events.jsonl";

/** One line of a run folder's `events.jsonl`: an event with its cursor and the key it is told under. */
export const EventLine = z.object({
  seq: z.int().min(1),
  key: z.string(),
  type: z.string(),
  at: z.string(),
  data: z.record(z.string(), Json),
});
export type EventLine = z.infer<typeof EventLine>;

/**
 * Append the run's events that its file does not have yet. Whatever was lost in a crash is made good by the
 * next call. One process alone may do this, as often at once as it likes: two would write lines twice (readers drop
 * the second).
 *
 * @returns the seq of the file's last event.
 */
export async function appendEventFile(db: Database, projectPath: string, runId: string): Promise<number> {
  return inTurn(`event file ${runId}`, () => appendMissing(db, projectPath, runId));
}

async function appendMissing(db: Database, projectPath: string, runId: string): Promise<number> {
  let last = await lastSeqOf(projectPath, runId);
  for (;;) {
    const rows = await db.orm
      .select()
      .from(events)
      .where(and(eq(events.runId, runId), gt(events.seq, last)))
      .orderBy(asc(events.seq))
      .limit(1000);
    const final = rows.at(-1);
    if (!final) return last;
    const lines = rows.map(({ seq, key, type, at, data }) => JSON.stringify({ seq, key, type, at: at.toISOString(), data }));
    await appendRunFile(projectPath, runId, FILE, `${lines.join("\n")}\n`);
    last = final.seq;
  }
}

/** The lines of the file, each seq once and in order, broken lines left out; null when there is no file. */
export async function readEventFile(projectPath: string, runId: string): Promise<EventLine[] | null> {
  const text = await readRunFile(projectPath, runId, FILE);
  return text === null ? null : parseEventFile(text);
}

export function parseEventFile(text: string): EventLine[] {
  const bySeq = new Map<number, EventLine>();
  for (const line of parseLines(text)) {
    const parsed = EventLine.safeParse(line);
    if (parsed.success && !bySeq.has(parsed.data.seq)) bySeq.set(parsed.data.seq, parsed.data);
  }
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

/** The seq of the last whole line of the file, looked for from the end; 0 without a file or a line. */
export async function lastSeqOf(projectPath: string, runId: string): Promise<number> {
  const file = join(runFolder(projectPath, runId), FILE);
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size } = await handle.stat();
      for (let length = 65_536; ; length *= 8) {
        const from = Math.max(0, size - length);
        const buffer = Buffer.alloc(size - from);
        await handle.read(buffer, 0, buffer.length, from);
        const last = lastLineIn(buffer.toString("utf8"));
        if (last) return last.seq;
        if (from === 0) return 0;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}

function lastLineIn(text: string): EventLine | null {
  for (const line of text.split("\n").reverse()) {
    const [last] = parseEventFile(line);
    if (last) return last;
  }
  return null;
}
