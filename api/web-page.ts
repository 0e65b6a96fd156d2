import { join } from "node:path";
import express, { type RequestHandler } from "express";
import { packageRoot } from "../package-root.js";
import { HttpError } from "./problem.js";

const BUILT = join(packageRoot, "dist/web");
/** Milliseconds for which a file is kept whose name changes with its content. */
const YEAR = 365 * 24 * 3_600_000;

/** The page and its files. They hold nothing of anybody's: what the page shows it asks the API for. */
export function webPage(): RequestHandler[] {
  const assets = express.static(join(BUILT, "assets"), { index: false, immutable: true, maxAge: YEAR, fallthrough: true });
  const files = express.static(BUILT, { index: false });
  return [only("/assets", assets), files, sendPage];
}

/** Addresses of the page, which a browser opens: the page itself knows what they are. */
const sendPage: RequestHandler = (req, res, next) => {
  const isPage = req.path === "/" || /^\/(runs|waiting)(\/|$)/.test(req.path);
  if (!isPage || (req.method !== "GET" && req.method !== "HEAD")) return next();
  res.set("Cache-Control", "no-cache");
  res.sendFile(join(BUILT, "index.html"), (error) => {
    if (error && !res.headersSent) next(new HttpError(404, "not_built", "The page is not built. `npm run build` builds it."));
  });
};

/** Below this path alone, which the handler does not see. */
function only(path: string, handler: RequestHandler): RequestHandler {
  return express.Router().use(path, handler);
}
