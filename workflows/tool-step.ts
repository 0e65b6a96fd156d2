import type { Json, JsonObject } from "../contract/json.js";
import { TOOL_TIMEOUT_MS } from "../contract/tool.js";
import type { StepOptions } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { call, type DoOptions, label } from "./call.js";
import type { Engine } from "./engine.js";
import { activitiesFor } from "./proxies.js";

/**
 * `ctx.tool`: a step that calls a tool.
 *
 * @param name `server.tool`; what follows the first dot is the tool's.
 */
export function callTool(engine: Engine, name: string, params: JsonObject, options: StepOptions = {}): Promise<Json> {
  const [, server, tool] = /^([^.]+)\.(.+)$/s.exec(name) ?? [];
  if (server === undefined || tool === undefined) {
    throw new StepFailed(
      name,
      "invalid_step",
      `A tool is named by its server and itself, as in "github.getIssue"; this is "${name}".`,
    );
  }
  return toolStep(engine, options.name ?? name, { server, tool }, params, options);
}

/** A step that calls a tool. */
export function toolStep(
  engine: Engine,
  key: string,
  { server, tool }: { server: string; tool: string },
  params: JsonObject,
  options: DoOptions,
): Promise<Json> {
  const limited = { ...options, timeout: options.timeout || TOOL_TIMEOUT_MS };
  return engine.step({ kind: "tool", key, options: limited, input: params }, (place) =>
    activitiesFor(label(place, options.summary ?? `${server}.${tool}`), limited).tool(
      call(engine, place, limited, { server, tool, params }),
    ),
  );
}
