import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { sha256 } from "./sha256.js";

/** Milliseconds that a code can be used, once. */
const CODE_LIFE = 60_000;
/** Milliseconds that a browser stays logged in. */
const SESSION_LIFE = 30 * 24 * 3_600_000;
/** Codes that may wait to be used at one time. */
const MOST_CODES = 100;

/**
 * Logins of browsers. A code swaps for a session, which is the time of its end and a keyed hash over it: nothing is
 * kept, a session survives a restart, and a new token ends all of them.
 */
export class Logins {
  /** By sha256 of the code, the time of its end. */
  private readonly codes = new Map<string, number>();

  constructor(private readonly token: string) {}

  newCode(now = Date.now()): { code: string; expires_at: string } {
    for (const [hash, end] of this.codes) if (end <= now || this.codes.size >= MOST_CODES) this.codes.delete(hash);
    const code = randomBytes(24).toString("base64url");
    this.codes.set(sha256(code), now + CODE_LIFE);
    return { code, expires_at: new Date(now + CODE_LIFE).toISOString() };
  }

  /** A session for a code that was not used before; null for any other. */
  redeem(code: string, now = Date.now()): { session: string; maxAge: number } | null {
    const hash = sha256(code);
    const end = this.codes.get(hash);
    this.codes.delete(hash);
    if (end === undefined || end <= now) return null;
    const until = String(now + SESSION_LIFE);
    return { session: `${until}.${this.sign(until)}`, maxAge: SESSION_LIFE };
  }

  isSession(session: string, now = Date.now()): boolean {
    const [until = "", signature = "", ...rest] = session.split(".");
    const expected = Buffer.from(sha256(this.sign(until)), "hex");
    const given = Buffer.from(sha256(signature), "hex");
    return rest.length === 0 && timingSafeEqual(expected, given) && Number(until) > now;
  }

  private sign(until: string): string {
    return createHmac("sha256", this.token).update(`session ${until}`).digest("base64url");
  }
}
