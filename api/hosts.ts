import { isIP } from "node:net";
import type { RequestHandler } from "express";
import { isUnsafe } from "./body.js";
import { HttpError } from "./problem.js";

export interface HostSettings {
  /** The address the server listens on. */
  host: string;
  allowedHosts: readonly string[];
}

/**
 * Refuse a request that was sent to a name which is not ours: a foreign page can make its own name point here, and
 * a browser would then take this server's answers for that page's. Addresses cannot be made to point elsewhere.
 */
export function checkHost({ host, allowedHosts }: HostSettings): RequestHandler {
  const names = new Set(["localhost", "127.0.0.1", "::1", bare(host), ...allowedHosts]);
  const everywhere = isIP(bare(host)) > 0 && /^[0.:]+$/.test(bare(host));
  return (req, _res, next) => {
    const name = hostname(req.headers.host);
    if (name !== null && (names.has(name) || (everywhere && isIP(name) > 0))) return next();
    throw new HttpError(403, "host_not_allowed", "This server does not go by the name that the request was sent to.");
  };
}

/** Refuse a change that a page of another origin asks for. Programs other than browsers name no origin. */
export function checkOrigin(): RequestHandler {
  return (req, _res, next) => {
    if (!isUnsafe(req.method)) return next();
    const { origin, host } = req.headers;
    const site = req.headers["sec-fetch-site"];
    const own = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
    if (own && (site === undefined || site === "same-origin" || site === "none")) return next();
    throw new HttpError(403, "origin_not_allowed", "Changes are asked for by this server's own pages only.");
  };
}

/** Lower case, without port, brackets and a last dot; null for what is no host. */
function hostname(header: string | undefined): string | null {
  const [, name] = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?$/i.exec(header ?? "") ?? [];
  return name === undefined ? null : bare(name);
}

function bare(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$|\.$/g, "");
}
