import type { Request } from "express";
import { newId } from "../contract/id.js";
import { Json } from "../contract/json.js";
import { answerKey, findKey, type KeptRequest, keepKey } from "../db/idempotency.js";
import type { ApiContext } from "./context.js";
import { HttpError } from "./problem.js";
import type { Answer } from "./route.js";
import { Serial } from "./serial.js";
import { sha256 } from "./sha256.js";

/** The id chosen for what a request makes, and when it was first asked for. */
export interface Chosen {
  id: string;
  created_at: string;
}

interface Keyed {
  userId: string;
  /** What is asked, the same for every repetition. */
  route: string;
  body: unknown;
  /** Prefix of the chosen id. */
  prefix: string;
}

const perKey = new Serial();

/**
 * Make something once, however often it is asked for with one `Idempotency-Key`.
 *
 * `make` calls `choose` when all is checked and the next thing is to act: the key and the chosen id are kept before
 * that, so that a repetition after a crash acts on the same id. Whoever asks again gets the first answer.
 *
 * @throws {HttpError} 422 when the key came with another request before.
 */
export async function once(
  { db }: ApiContext,
  req: Request,
  { userId, route, body, prefix }: Keyed,
  make: (choose: () => Promise<Chosen>) => Promise<Answer>,
): Promise<Answer> {
  const fresh = { id: newId(prefix), created_at: new Date().toISOString() };
  const key = req.get("Idempotency-Key");
  if (key === undefined) return make(async () => fresh);
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new HttpError(400, "invalid", "An Idempotency-Key has 1 to 255 visible ASCII characters.");

  const asked = { key, user_id: userId, route, body_hash: sha256(canonicalJson(body)), resource_id: fresh.id };
  return perKey.run(key, async () => {
    const kept = await findKey(db, key);
    if (kept) {
      checkSame(kept, asked);
      if (kept.answer) return asAnswer(kept, kept.answer);
    }
    const chosen = { id: kept?.resource_id ?? fresh.id };
    const answer = await make(async () => {
      const first = await keepKey(db, asked);
      checkSame(first, asked);
      chosen.id = first.resource_id;
      return { id: first.resource_id, created_at: first.created_at };
    });
    const stored = await answerKey(db, key, { status: answer.status, body: Json.parse(answer.body) });
    return asAnswer({ resource_id: chosen.id }, stored, answer);
  });
}

function asAnswer({ resource_id }: { resource_id: string }, stored: { status: number; body: Json }, made?: Answer): Answer {
  const location = stored.status === 201 ? { location: made?.location ?? `/api/runs/${resource_id}` } : {};
  return { status: stored.status, body: stored.body, ...location };
}

function checkSame(kept: KeptRequest, asked: { user_id: string; route: string; body_hash: string }): void {
  if (kept.user_id === asked.user_id && kept.route === asked.route && kept.body_hash === asked.body_hash) return;
  throw new HttpError(422, "idempotency_key_reused", "This Idempotency-Key came with another request before. Use a new one.");
}

/** The same text for the same JSON value, whatever the order of its keys. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`).join(",")}}`;
}
