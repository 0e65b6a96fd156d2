import type { ErrorRequestHandler, Response } from "express";
import type { Logger } from "pino";
import { ConflictError, InvalidError, NotFoundError, type Problem, UnavailableError } from "../contract/errors.js";
import type { ProblemDocument } from "../contract/problem.js";
import { isUnavailable, isWithoutTables } from "../db/database.js";
import { isTemporalAway } from "./temporal-away.js";

/** A request that is refused for what it is, not for what it asks. */
export class HttpError extends Error {
  override readonly name = "HttpError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly more: { errors?: Problem[]; headers?: Record<string, string> } = {},
  ) {
    super(message);
  }
}

const TITLES: Record<number, string> = {
  400: "The request is not valid.",
  401: "A token is needed.",
  403: "This may not be asked, or not from there.",
  404: "There is nothing here.",
  405: "This cannot be done here.",
  408: "The request took too long.",
  409: "The request does not fit the state things are in.",
  413: "The request is too large.",
  415: "The body is not of a type that is read here.",
  422: "This key stands for another request.",
  429: "There are too many requests.",
  431: "The headers are too large.",
  500: "Something went wrong on the server.",
  503: "A server that Longhaul stands on does not answer.",
};

const WITHOUT_TABLES =
  "Tables of Longhaul are missing from Postgres. Stop Longhaul and run `longhaul rebuild`: runs and all that belongs to them are made anew.";

/** Seconds after which a client may try again. */
const RETRY_AFTER = "2";

/** The one place where an error becomes a status. Routes throw, and do not answer errors themselves. */
export function problemHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    if (res.headersSent) {
      log.warn({ err: error, path: req.path }, "An answer broke off.");
      return next(error);
    }
    const known = toHttpError(error);
    if (known.status >= 500) log.error({ err: error, path: req.path }, "A request failed.");
    sendProblem(res, known);
  };
}

export function sendProblem(res: Response, { status, code, message, more }: HttpError): void {
  if (status === 503) res.set("Retry-After", RETRY_AFTER);
  if (status === 401) res.set("WWW-Authenticate", "Bearer");
  res.set(more.headers ?? {});
  res.status(status).set("Cache-Control", "no-store").type("application/problem+json");
  res.send(JSON.stringify(problemDocument(status, code, message, more.errors)));
}

export function problemDocument(status: number, code: string, detail: string | null, errors: Problem[] = []): ProblemDocument {
  return {
    type: "about:blank",
    title: TITLES[status] ?? "The request failed.",
    status,
    detail,
    code,
    errors: errors.map(({ path, message, line, column }) => ({
      path,
      message,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
    })),
  };
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof InvalidError) return new HttpError(400, "invalid", error.message, { errors: [...error.problems] });
  if (error instanceof NotFoundError) return new HttpError(404, "not_found", error.message);
  if (error instanceof ConflictError) return new HttpError(409, error.code, error.message);
  if (error instanceof UnavailableError) return new HttpError(503, `${error.what}_unavailable`, error.message);
  if (isUnavailable(error)) return new HttpError(503, "postgres_unavailable", new UnavailableError("postgres").message);
  if (isWithoutTables(error)) return new HttpError(503, "tables_missing", WITHOUT_TABLES);
  if (isTemporalAway(error)) return new HttpError(503, "temporal_unavailable", new UnavailableError("temporal").message);
  return fromExpress(error) ?? new HttpError(500, "internal", "The server's log says more.");
}

/** Express and its body reader mark their errors with a status; the texts are ours. */
function fromExpress(error: unknown): HttpError | null {
  if (!(error instanceof Error) || !("status" in error)) return null;
  switch (error.status) {
    case 400:
      return new HttpError(400, "malformed", "The request could not be read.");
    case 413:
      return new HttpError(413, "too_large", "A body may have 1,048,576 bytes.");
    case 415:
      return new HttpError(415, "unsupported_media_type", "A body is JSON in UTF-8, without compression.");
    default:
      return null;
  }
}
