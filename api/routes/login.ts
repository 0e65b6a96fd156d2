import { z } from "zod";
import { SESSION_COOKIE } from "../auth.js";
import type { ApiContext } from "../context.js";
import { HttpError } from "../problem.js";
import { One, type Route, route } from "../route.js";

const LoginCode = z.object({ code: z.string(), path: z.string(), expires_at: z.string() });

/** Where on the page a browser goes once it is logged in: nowhere else. */
const PagePath = z
  .string()
  .regex(/^\/(?:[\w-]+(?:\/[\w-]+)*)?$/, "is not a path of the page")
  .max(200);

/** Who has a token can get a code, which lets a browser in. */
export function loginCodeRoutes({ logins }: ApiContext): Route[] {
  return [
    route({
      method: "post",
      path: "/",
      summary: "Get a code that logs a browser in: once, within 60 s",
      answers: { 201: One(LoginCode) },
      handle: async ({ user }) => {
        const { code, expires_at } = logins.newCode(user.id);
        const path = `/login?code=${code}`;
        return { status: 201, location: path, body: { data: { code, path, expires_at } } };
      },
    }),
  ];
}

/** The page where a code is swapped for a session. */
export function loginRoutes({ logins }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/",
      summary: "Log a browser in with a code",
      query: z.strictObject({ code: z.string().min(1).max(100).optional(), to: PagePath.default("/") }),
      answers: { 200: null, 303: null },
      media: { answer: "text/html" },
      handle: async ({ query }, req, res) => {
        // A look at the headers must not use the code up.
        const login = query.code === undefined || req.method === "HEAD" ? null : logins.redeem(query.code);
        if (query.code !== undefined && !login) {
          throw new HttpError(401, "code_not_valid", "This code was used, is too old, or never was one. Get a new one.");
        }
        if (login)
          res.cookie(SESSION_COOKIE, login.session, { httpOnly: true, sameSite: "strict", path: "/", maxAge: login.maxAge });
        res.set("Cache-Control", "no-store").set("Referrer-Policy", "no-referrer");
        if (login) res.redirect(303, query.to);
        else res.type("html").send(page("`longhaul open` prints an address that logs this browser in."));
        return null;
      },
    }),
  ];
}

function page(text: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Longhaul</title><main><h1>Longhaul</h1><p>${text}</p></main></html>`;
}
