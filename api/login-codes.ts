import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { sha256 } from "./sha256.js";

/** Milliseconds that a code can be used, once. */
const CODE_LIFE = 60_000;
/** Milliseconds that a browser stays logged in. */
const SESSION_LIFE = 30 * 24 * 3_600_000;
/** Codes that may wait to be used at one time. */
const MOST_CODES = 100;

/**
 * Logins of browsers. A code swaps for a session, which is the time of its end, the user, and a keyed hash over both: nothing is
 * kept, a session survives a restart, and a new token ends all of them.
 */
export class Logins {
  /** By sha256 of the code, the time of its end and who is logged in by it. */
  private readonly codes = new Map<string, { end: number; user: string }>();

  constructor(private readonly token: string) {}

  newCode(user: string, now = Date.now()): { code: string; expires_at: string } {
    for (const [hash, { end }] of this.codes) if (end <= now || this.codes.size >= MOST_CODES) this.codes.delete(hash);
    const code = randomBytes(24).toString("base64url");
    this.codes.set(sha256(code), { end: now + CODE_LIFE, user });
    return { code, expires_at: new Date(now + CODE_LIFE).toISOString() };
  }

  /** A session for a code that was not used before; null for any other. */
  redeem(code: string, now = Date.now()): { session: string; maxAge: number } | null {
    const hash = sha256(code);
    const kept = this.codes.get(hash);
    this.codes.delete(hash);
    if (kept === undefined || kept.end <= now) return null;
    const said = `${now + SESSION_LIFE}.${kept.user}`;
    return { session: `${said}.${this.sign(said)}`, maxAge: SESSION_LIFE };
  }

  /** Whose session this is; null for one that is none, or over. */
  userOf(session: string, now = Date.now()): string | null {
    const [until = "", user = "", signature = "", ...rest] = session.split(".");
    const expected = Buffer.from(sha256(this.sign(`${until}.${user}`)), "hex");
    const given = Buffer.from(sha256(signature), "hex");
    return rest.length === 0 && timingSafeEqual(expected, given) && Number(until) > now ? user : null;
  }

  private sign(said: string): string {
    return createHmac("sha256", this.token).update(`session ${said}`).digest("base64url");
  }
}
