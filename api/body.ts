import express, { type RequestHandler } from "express";
import { InvalidError, type Problem } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import { HttpError } from "./problem.js";

/** Bytes of a JSON body. */
const BODY_LIMIT = 1_048_576;
/** Objects and arrays within each other. */
const DEPTH_LIMIT = 100;
/** Milliseconds that a body may take to come in. */
const BODY_PATIENCE = 30_000;

/** The one path whose body is a file. */
const UPLOADS = /^\/api\/(runs|executions|workflow-executions)\/[^/]+\/artifacts$/;

const UNSAFE = new Set(["POST", "PUT", "PATCH", "DELETE"]);

export function isUnsafe(method: string): boolean {
  return UNSAFE.has(method);
}

/**
 * Read the body of a request that changes something: JSON, or nothing, which counts as `{}`. The body of an upload
 * is left to its route.
 */
export function readJsonBody(): RequestHandler {
  const readBytes = express.raw({ type: () => true, limit: BODY_LIMIT, inflate: false });
  return (req, res, next) => {
    if (!isUnsafe(req.method) || !hasBody(req.headers)) {
      req.body = undefined;
      return next();
    }
    if (UPLOADS.test(req.path)) return next();
    if (!isJson(req.headers["content-type"])) {
      throw new HttpError(415, "unsupported_media_type", "A body is JSON: send `Content-Type: application/json`.");
    }
    const timer = setTimeout(() => {
      // Half a request has no right to an answer, and its connection cannot be used again.
      req.destroy();
    }, BODY_PATIENCE);
    readBytes(req, res, (error?: unknown) => {
      clearTimeout(timer);
      if (error) return next(error);
      try {
        req.body = parseJson(Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0));
        next();
      } catch (problem) {
        next(problem);
      }
    });
  };
}

function hasBody(headers: { "content-length"?: string | undefined; "transfer-encoding"?: string | undefined }): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function isJson(contentType = ""): boolean {
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const charset = parameters.map((part) => part.trim()).find((part) => part.startsWith("charset="));
  return type.trim() === "application/json" && (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
}

/**
 * A JSON text as a value that can be kept as it is: text that Postgres takes, numbers that survive, nothing too deep.
 *
 * @throws {InvalidError} naming every place that is wrong.
 */
export function parseJson(bytes: Uint8Array): Json | undefined {
  const text = decodeUtf8(bytes);
  if (text.trim() === "") return undefined;
  checkTokens(text);
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformed(`The body is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const problems = textProblems(value);
  if (problems.length > 0) throw new InvalidError("The body holds what cannot be kept.", problems);
  return value;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("The body is not UTF-8.");
  }
}

/** One pass over the text, before anything is built from it: depth, and numbers that JavaScript would change. */
function checkTokens(text: string): void {
  const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (character === '"') {
      at = endOfString(text, at);
    } else if (character === "[" || character === "{") {
      depth += 1;
      if (depth > DEPTH_LIMIT) throw malformed(`The body is nested more than ${DEPTH_LIMIT} levels deep.`);
    } else if (character === "]" || character === "}") {
      depth -= 1;
    } else if (character === "-" || (character >= "0" && character <= "9")) {
      number.lastIndex = at;
      const [found] = number.exec(text) ?? [];
      if (found === undefined) continue;
      if (!isKept(found)) throw malformed(`The number ${found.slice(0, 40)} is out of range.`);
      at += found.length - 1;
    }
  }
}

/** The place of the quote that ends the string begun at `start`; the end of the text when there is none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

function isKept(number: string): boolean {
  const value = Number(number);
  if (!Number.isFinite(value) || Object.is(value, -0)) return false;
  if (value === 0) return /^0(?:\.0+)?(?:[eE].*)?$/.test(number);
  return !/^-?\d+$/.test(number) || Number.isSafeInteger(value);
}

/** Places of text with NUL or half a surrogate pair (Postgres keeps neither), and of keys that would name a prototype. */
export function textProblems(value: unknown, path = ""): Problem[] {
  if (typeof value === "string") {
    if (value.includes("\u0000")) return [{ path, message: "holds a NUL character" }];
    // With the flag `u`, a surrogate that has its other half is no match.
    return /\p{Surrogate}/u.test(value) ? [{ path, message: "holds half of a surrogate pair" }] : [];
  }
  if (Array.isArray(value)) return value.flatMap((item, i) => textProblems(item, `${path}[${i}]`));
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const place = path === "" ? key : `${path}.${key}`;
    if (key === "__proto__") return [{ path: place, message: "is not a name that can be used" }];
    return [...textProblems(key, place), ...textProblems(item, place)];
  });
}

function malformed(message: string): InvalidError {
  return new InvalidError(message, [{ path: "", message }]);
}
