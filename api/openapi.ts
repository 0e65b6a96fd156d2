import { OpenAPIRegistry, OpenApiGeneratorV31 } from "@asteasolutions/zod-to-openapi";
import { ProblemDocument } from "../contract/problem.js";
import type { Group } from "./app.js";
import type { Route } from "./route.js";

/** The whole surface as an OpenAPI 3.1 document, made of the schemas that check requests. */
export function openapi(groups: Group[], version: string): object {
  const registry = new OpenAPIRegistry();
  registry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  registry.registerComponent("securitySchemes", "cookie", { type: "apiKey", in: "cookie", name: "longhaul_session" });

  for (const { at, open, routes } of groups) {
    for (const base of at) for (const route of routes) registry.registerPath(operation(base, route, open === true));
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: { title: "Longhaul", version, description: "Durable workflows for software delivery, on Temporal and Postgres." },
    security: [{ token: [] }, { cookie: [] }],
  });
}

type Operation = Parameters<OpenAPIRegistry["registerPath"]>[0];

function operation(base: string, route: Route, open: boolean): Operation {
  const { method, summary, params, query, body, answers, media } = route;
  const path = (base + (route.path === "/" ? "" : route.path)).replace(/:(\w+)/g, "{$1}");
  const problem = { description: "An error.", content: { "application/problem+json": { schema: ProblemDocument } } };
  const responses = Object.entries(answers).map(([status, schema]) => [
    status,
    {
      description: `Answer ${status}.`,
      ...(media.answer && schema === null ? { content: { [media.answer]: { schema: { type: "string" as const } } } } : {}),
      ...(schema ? { content: { "application/json": { schema } } } : {}),
    },
  ]);
  return {
    method,
    path,
    summary,
    ...(open ? { security: [] } : {}),
    request: {
      ...(Object.keys(params.shape).length > 0 ? { params } : {}),
      ...(Object.keys(query.shape).length > 0 ? { query } : {}),
      ...(body ? { body: { content: { "application/json": { schema: body } } } } : {}),
      ...(media.request ? { body: { content: { [media.request]: { schema: uploadBody } } } } : {}),
    },
    responses: { ...Object.fromEntries(responses), default: problem },
  };
}

const uploadBody = {
  type: "object" as const,
  required: ["file"],
  properties: {
    file: { type: "string" as const, format: "binary" },
    step_id: { type: "string" as const },
    name: { type: "string" as const },
    type: { type: "string" as const },
    file_type: { type: "string" as const },
  },
};
