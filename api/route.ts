import { type Request, type RequestHandler, type Response, Router } from "express";
import { z } from "zod";
import { InvalidError, type Problem } from "../contract/errors.js";
import { Page } from "../contract/page.js";
import type { Listed } from "../db/page.js";
import { textProblems } from "./body.js";
import type { ApiContext, Asked } from "./context.js";
import { Nothing } from "./fields.js";
import { type Aliases, canonicalNames } from "./names.js";
import { HttpError } from "./problem.js";

export type Method = "get" | "post" | "patch" | "put" | "delete";

/** What a handler gives back; `null` when it has written to the response itself. */
export interface Answer {
  status: number;
  body?: unknown;
  location?: string;
  headers?: Record<string, string>;
}

/** One thing that can be asked. Its schemas check requests, and are what `/openapi.json` says. */
export interface Route {
  method: Method;
  /** Under the group's own, with Express' colons: `/:id/steps`. */
  path: string;
  summary: string;
  params: z.ZodObject;
  query: z.ZodObject;
  /** As `/openapi.json` shows it. */
  body: z.ZodType | null;
  /** By status; null for an answer without a JSON body. */
  answers: Record<number, z.ZodType | null>;
  /** Media type of a body or an answer that is not JSON. */
  media: { request?: string; answer?: string };
  serve: (context: ApiContext, req: Request, res: Response) => Promise<void>;
}

interface Definition<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> {
  method: Method;
  path: string;
  summary: string;
  params?: Params;
  query?: Query;
  /** What must hold between the fields of a query. */
  refine?: [(query: z.output<Query>) => boolean, { path: string[]; message: string }];
  body?: Body;
  /** What `/openapi.json` shows in its place, where `body` takes more forms than its schema says. */
  shown?: z.ZodType;
  /** Other names of the body's own fields. */
  aliases?: Aliases;
  answers: Record<number, z.ZodType | null>;
  media?: { request?: string; answer?: string };
  handle: (
    asked: Asked<z.output<Params>, z.output<Query>, z.output<Body>>,
    req: Request,
    res: Response,
  ) => Promise<Answer | null>;
}

/** Put a route together: check what comes in, do it, answer. */
export function route<
  Params extends z.ZodObject = typeof Nothing,
  Query extends z.ZodObject = typeof Nothing,
  Body extends z.ZodType = typeof Nothing,
>(definition: Definition<Params, Query, Body>): Route {
  const { method, path, summary, answers, media = {}, aliases = {}, refine, handle } = definition;
  // The defaults of the type parameters are these very schemas.
  const params = (definition.params ?? Nothing) as Params;
  const query = (definition.query ?? Nothing) as Query;
  const refinedQuery = refine ? query.refine(...refine) : query;
  const body = (definition.body ?? Nothing) as Body;

  async function serve(context: ApiContext, req: Request, res: Response): Promise<void> {
    const parts = [
      checked(params, req.params, {}, ""),
      checked(refinedQuery, plainQuery(req), {}, ""),
      media.request ? { value: undefined, problems: [] } : checked(body, req.body ?? {}, aliases, ""),
    ];
    const problems = parts.flatMap((part) => part.problems);
    if (problems.length > 0)
      throw new InvalidError(problems.map(({ path: at, message }) => `${at || "body"}: ${message}`).join("; "), problems);

    const [p, q, b] = parts.map((part) => part.value);
    // What the schemas gave back has their output types.
    const asked = { params: p, query: q, body: b, user: res.locals.user } as Asked<
      z.output<Params>,
      z.output<Query>,
      z.output<Body>
    >;
    const answer = await handle(asked, req, res);
    if (answer) send(context, res, answer, answers);
  }
  const asks = method === "post" || method === "patch" || method === "put";
  return {
    method,
    path,
    summary,
    params,
    query,
    body: asks && !media.request ? (definition.shown ?? body) : null,
    answers,
    media,
    serve,
  };
}

/** A group's routes as a router; a path that exists answers 405, with `Allow`, to all other methods. */
export function routerOf(context: ApiContext, routes: Route[]): Router {
  const router = Router({ caseSensitive: true });
  for (const { method, path, serve } of routes) {
    router[method](path, (req, res) => serve(context, req, res));
  }
  for (const path of new Set(routes.map((each) => each.path))) {
    router.all(path, notAllowed(routes.filter((each) => each.path === path).map((each) => each.method)));
  }
  return router;
}

/** `{data: X}` with 200. */
export function ok(data: unknown): Answer {
  return { status: 200, body: { data } };
}

/** `{data: X}` with 201, and where X is. */
export function created(location: string, data: unknown): Answer {
  return { status: 201, location, body: { data } };
}

/** `{data: X[], page}` with 200. */
export function listed<Item>({ items, page }: Listed<Item>): Answer {
  return { status: 200, body: { data: items, page } };
}

export const gone: Answer = { status: 204 };

export function One<Noun extends z.ZodType>(noun: Noun) {
  return z.object({ data: noun });
}

export function Many<Noun extends z.ZodType>(noun: Noun) {
  return z.object({ data: z.array(noun), page: Page });
}

function send(context: ApiContext, res: Response, answer: Answer, answers: Record<number, z.ZodType | null>): void {
  const schema = answers[answer.status];
  if (context.checkAnswers) {
    if (schema === undefined) throw new Error(`The route does not say that it answers ${answer.status}.`);
    const wrong = schema?.safeParse(answer.body).error;
    if (wrong) throw new Error(`The answer does not keep the contract: ${z.prettifyError(wrong)}`);
  }
  res.status(answer.status).set("Cache-Control", "no-store");
  if (answer.headers) res.set(answer.headers);
  if (answer.location) res.location(answer.location);
  if (answer.body === undefined) res.end();
  else res.json(answer.body);
}

function checked(schema: z.ZodType, value: unknown, aliases: Aliases, path: string): { value: unknown; problems: Problem[] } {
  const text = textProblems(value, path);
  if (text.length > 0) return { value: undefined, problems: text };
  const parsed = schema.safeParse(canonicalNames(value, schema, aliases));
  return parsed.success
    ? { value: parsed.data, problems: [] }
    : { value: undefined, problems: parsed.error.issues.flatMap(toProblems) };
}

function toProblems(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.reduce<string>(
    (at, key) => (typeof key === "number" ? `${at}[${key}]` : at === "" ? String(key) : `${at}.${String(key)}`),
    "",
  );
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: path === "" ? key : `${path}.${key}`, message: "is not known here" }));
  }
  return [{ path, message: issue.message }];
}

/** Express' query as an own object: a name given twice is a list, which no schema takes. */
function plainQuery(req: Request): Record<string, unknown> {
  return Object.fromEntries(Object.entries(req.query));
}

function notAllowed(methods: Method[]): RequestHandler {
  const allowed = [...new Set(methods.map((method) => method.toUpperCase())), ...(methods.includes("get") ? ["HEAD"] : [])];
  return () => {
    const message = `This path takes ${allowed.join(", ")}.`;
    throw new HttpError(405, "method_not_allowed", message, { headers: { Allow: allowed.join(", ") } });
  };
}
