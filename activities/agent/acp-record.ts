import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";

/** Of an agent whose own transcripts nobody knows: the messages of a session, ours and the agent's, a line each. */
export class AcpRecord {
  #file: string | undefined;

  constructor(private readonly configDir: string) {}

  /** From here on. What came before, the handshake and an earlier session told again, is none of the session's. */
  began(sessionId: string): void {
    this.#file = recordFile(this.configDir, sessionId);
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    appendFileSync(this.#file, "", { mode: 0o600 });
  }

  line(line: string): void {
    if (this.#file !== undefined) appendFileSync(this.#file, `${line}\n`);
  }
}

/** The record of a session, or undefined before it began. */
export function recordOf(configDir: string, sessionId: string): string | undefined {
  const file = recordFile(configDir, sessionId);
  return existsSync(file) ? file : undefined;
}

const Prompt = z.looseObject({ method: z.literal("session/prompt") });

/** How many prompts a record holds; its last line may be cut off. */
export function promptsIn(file: string | undefined): number {
  if (file === undefined) return 0;
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.includes('"session/prompt"') && Prompt.safeParse(parsed(line)).success).length;
}

/** Ids are the agent's: anything may stand in them. */
function recordFile(configDir: string, sessionId: string): string {
  return join(configDir, "sessions", `${createHash("sha256").update(sessionId).digest("hex").slice(0, 32)}.jsonl`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
