import { timingSafeEqual } from "node:crypto";
import type { Request, RequestHandler } from "express";
import { findUserByToken, localUser, type User } from "../db/tokens.js";
import { hasToken } from "../db/users.js";
import type { ApiContext } from "./context.js";
import { HttpError } from "./problem.js";
import { sha256 } from "./sha256.js";

export const SESSION_COOKIE = "longhaul_session";

/** Names under which a token might be put into an address, where logs and histories would keep it. */
const TOKEN_NAMES = /^(access_?token|api_?key|auth|authorization|bearer|token|key)$/i;

/** Let through who has the installation's token, a token of their own, or a browser's session. */
export function requireUser(context: ApiContext): RequestHandler {
  return async (req, res, next) => {
    if (Object.keys(req.query).some((name) => TOKEN_NAMES.test(name))) {
      throw new HttpError(401, "token_in_query", "A token is never part of an address. Send it as `Authorization: Bearer`.");
    }
    const user = await whoAsks(context, req);
    if (!user) throw new HttpError(401, "unauthenticated", "Send a token as `Authorization: Bearer <token>`, or log in.");
    res.locals.user = user;
    next();
  };
}

async function whoAsks({ db, config, token, logins }: ApiContext, req: Request): Promise<User | null> {
  if (config.auth === "off") return localUser;
  const { authorization } = req.headers;
  if (authorization !== undefined) {
    const [, given] = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization) ?? [];
    if (given === undefined) return null;
    if (sameSecret(given, token)) return localUser;
    return findUserByToken(db, sha256(given));
  }
  const session = cookie(req.headers.cookie, SESSION_COOKIE);
  const user = session === null ? null : logins.userOf(session);
  if (user === null || user === localUser.id) return user === null ? null : localUser;
  return (await hasToken(db, user)) ? { id: user } : null;
}

/** Compares hashes, so that neither the time taken nor the length tells anything. */
function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(a), "hex"), Buffer.from(sha256(b), "hex"));
}

function cookie(header: string | undefined, name: string): string | null {
  for (const pair of (header ?? "").split(";")) {
    const [key, ...value] = pair.trim().split("=");
    if (key === name) return value.join("=");
  }
  return null;
}
