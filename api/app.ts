import express, { type Express, type RequestHandler } from "express";
import helmet from "helmet";
import { requireUser } from "./auth.js";
import { readJsonBody } from "./body.js";
import type { ApiContext } from "./context.js";
import { checkHost, checkOrigin } from "./hosts.js";
import { openapi } from "./openapi.js";
import { HttpError, problemHandler } from "./problem.js";
import { type Route, routerOf } from "./route.js";
import { approvalRoutes } from "./routes/approvals.js";
import { artifactRoutes } from "./routes/artifacts.js";
import { bulkRoutes } from "./routes/bulk.js";
import { checkpointRoutes, runCheckpointRoutes } from "./routes/checkpoints.js";
import { commentRoutes } from "./routes/comments.js";
import { compareRoutes } from "./routes/compare.js";
import { inlineRoutes, validateRoutes } from "./routes/definitions.js";
import { buildRoutes, workflowCheckRoutes } from "./routes/deploy-checks.js";
import { eventRoutes, runEventRoutes } from "./routes/events.js";
import { healthRoutes } from "./routes/health.js";
import { loginCodeRoutes, loginRoutes } from "./routes/login.js";
import { projectRoutes } from "./routes/projects.js";
import { retentionRoutes } from "./routes/retention.js";
import { runPartRoutes } from "./routes/run-parts.js";
import { runControlRoutes, runRoutes } from "./routes/runs.js";
import { schemaRoutes } from "./routes/schemas.js";
import { secretRoutes } from "./routes/secrets.js";
import { statsRoutes } from "./routes/stats.js";
import { stepControlRoutes, stepRoutes } from "./routes/steps.js";
import { uploadRoutes } from "./routes/uploads.js";
import { userRoutes } from "./routes/users.js";
import { waitingRoutes } from "./routes/waiting.js";
import { workflowChangeRoutes } from "./routes/workflow-changes.js";
import { workflowGraphRoutes } from "./routes/workflow-graph.js";
import { workflowStatsRoutes } from "./routes/workflow-stats.js";
import { workflowTextRoutes } from "./routes/workflow-texts.js";
import { workflowRoutes } from "./routes/workflows.js";
import { webPage } from "./web-page.js";

/** Routes under one or several paths that mean the same. */
export interface Group {
  at: string[];
  /** No token is needed. @default false */
  open?: boolean;
  routes: Route[];
}

/** The whole HTTP surface, one line a group. */
export function surface(context: ApiContext): Group[] {
  const run = [
    bulkRoutes,
    runRoutes,
    runControlRoutes,
    runPartRoutes,
    commentRoutes,
    uploadRoutes,
    runEventRoutes,
    approvalRoutes,
    runCheckpointRoutes,
    compareRoutes,
    waitingRoutes,
  ];
  const workflow = [
    validateRoutes,
    workflowRoutes,
    workflowStatsRoutes,
    workflowGraphRoutes,
    workflowChangeRoutes,
    workflowTextRoutes,
    workflowCheckRoutes,
  ];
  return [
    { at: [""], open: true, routes: healthRoutes(context) },
    { at: ["/login"], open: true, routes: loginRoutes(context) },
    { at: ["/api/login-codes"], routes: loginCodeRoutes(context) },
    { at: ["/api/projects"], routes: [...projectRoutes(context), ...secretRoutes(context)] },
    { at: ["/schemas"], open: true, routes: schemaRoutes() },
    { at: ["/api/workflows"], routes: workflow.flatMap((routes) => routes(context)) },
    { at: ["/api/workflow"], routes: inlineRoutes(context) },
    { at: ["/api/runs", "/api/executions", "/api/workflow-executions"], routes: run.flatMap((routes) => routes(context)) },
    { at: ["/api/steps", "/api/workflow-steps"], routes: [...stepRoutes(context), ...stepControlRoutes(context)] },
    { at: ["/api/checkpoints"], routes: checkpointRoutes(context) },
    { at: ["/api/artifacts"], routes: artifactRoutes(context) },
    { at: ["/api/retention"], routes: retentionRoutes(context) },
    { at: ["/api/events"], routes: eventRoutes(context) },
    { at: ["/api/users"], routes: userRoutes(context) },
    { at: ["/api/builds"], routes: buildRoutes(context) },
    { at: ["/api/stats"], routes: statsRoutes(context) },
  ];
}

/** Checks first, in the order of their cost; then who asks; then what. */
export function createApp(context: ApiContext): Express {
  const groups = surface(context);
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("query parser", "simple");

  app.use(security);
  app.use(checkHost(context.config));
  app.use(checkOrigin());
  app.use(plainMethod);
  for (const { at, open, routes } of groups) if (open) mount(at, routes);
  app.use(webPage());

  app.use(requireUser(context));
  app.use(readJsonBody());
  for (const { at, open, routes } of groups) if (!open) mount(at, routes);
  const document = openapi(groups, context.version);
  app.get("/openapi.json", (_req, res) => void res.json(document));

  app.use(() => {
    throw new HttpError(404, "not_found", "There is no such path.");
  });
  app.use(problemHandler(context.log));
  return app;

  function mount(paths: string[], routes: Route[]): void {
    const router = routerOf(context, routes);
    for (const path of paths) app.use(path === "" ? "/" : path, router);
  }
}

/** No page may frame ours, nothing is loaded from elsewhere, and types are what they are said to be. */
const security = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      "default-src": ["'self'"],
      "img-src": ["'self'", "data:", "blob:"],
      "object-src": ["'none'"],
      "base-uri": ["'none'"],
      "form-action": ["'self'"],
      "frame-ancestors": ["'none'"],
    },
  },
  strictTransportSecurity: false,
  xFrameOptions: { action: "deny" },
  referrerPolicy: { policy: "no-referrer" },
});

/** A method is what the request line says. */
const plainMethod: RequestHandler = (req, _res, next) => {
  const overridden = ["x-http-method-override", "x-http-method", "x-method-override"].some(
    (name) => req.headers[name] !== undefined,
  );
  if (!overridden && req.method !== "TRACE" && req.method !== "CONNECT") return next();
  throw new HttpError(405, "method_not_allowed", "The method of a request is not to be overridden, and TRACE is not answered.", {
    headers: { Allow: "GET, HEAD, POST, PUT, PATCH, DELETE" },
  });
};
