import { randomBytes } from "node:crypto";
import { z } from "zod";
import { User, UserId, UserToken } from "../../contract/user.js";
import { recordAudit } from "../../db/audit.js";
import { LOCAL_USER } from "../../db/migrate.js";
import type { User as Asking } from "../../db/tokens.js";
import { addToken, createUser, getUser, listUsers, removeTokens } from "../../db/users.js";
import type { ApiContext } from "../context.js";
import { Name, onePlace, pageFields } from "../fields.js";
import { HttpError } from "../problem.js";
import { gone, listed, Many, One, type Route, route } from "../route.js";
import { sha256 } from "../sha256.js";

const ByUser = z.strictObject({ id: UserId });

/** People with names and tokens of their own. Who has the installation's token makes and unmakes them. */
export function userRoutes({ db }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/",
      summary: "List the users, by whose ids approvals name who may answer",
      query: z.strictObject(pageFields),
      refine: onePlace,
      answers: { 200: Many(User) },
      handle: async ({ query }) => listed(await listUsers(db, query)),
    }),
    route({
      method: "post",
      path: "/",
      summary: "Make a user",
      body: z.strictObject({ id: UserId, name: Name.optional() }),
      answers: { 201: One(User) },
      handle: async ({ body: { id, name = id }, user }) => {
        onlyLocal(user);
        const made = await createUser(db, { id, name });
        await recordAudit(db, { user_id: user.id, action: "user.create", subject: id });
        return { status: 201, location: `/api/users/${id}`, body: { data: made } };
      },
    }),
    route({
      method: "get",
      path: "/:id",
      summary: "Get a user",
      params: ByUser,
      answers: { 200: One(User) },
      handle: async ({ params }) => ({ status: 200, body: { data: await getUser(db, params.id) } }),
    }),
    route({
      method: "post",
      path: "/:id/tokens",
      summary: "Give a user a token, which is shown this once",
      params: ByUser,
      answers: { 201: One(UserToken) },
      handle: async ({ params: { id }, user }) => {
        onlyLocal(user);
        if (id === LOCAL_USER) throw notForLocal();
        await getUser(db, id);
        const token = `lhu_${randomBytes(32).toString("base64url")}`;
        await addToken(db, id, sha256(token));
        await recordAudit(db, { user_id: user.id, action: "user.token", subject: id });
        return { status: 201, location: `/api/users/${id}`, body: { data: { user_id: id, token } } };
      },
    }),
    route({
      method: "delete",
      path: "/:id/tokens",
      summary: "Take all of a user's tokens, and with them the sessions of browsers; what they have said stays",
      params: ByUser,
      answers: { 204: null },
      handle: async ({ params: { id }, user }) => {
        onlyLocal(user);
        await getUser(db, id);
        await removeTokens(db, id);
        await recordAudit(db, { user_id: user.id, action: "user.tokens.remove", subject: id });
        return gone;
      },
    }),
  ];
}

/** Else whoever has a token could be anybody. */
function onlyLocal({ id }: Asking): void {
  if (id === LOCAL_USER) return;
  throw new HttpError(403, "not_allowed", "Users are for the installation's own token to make: ask whoever runs Longhaul here.");
}

function notForLocal(): HttpError {
  return new HttpError(403, "not_allowed", `"${LOCAL_USER}" has the installation's own token, and no other.`);
}
