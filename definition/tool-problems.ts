import type { Problem } from "../contract/errors.js";
import type { Json, JsonObject } from "../contract/json.js";
import { type Misfit, misfitsOf, schemaProblem } from "./fit-schema.js";
import { didYouMean } from "./nearest.js";
import { type Mapping, type Node, type Place, toJson } from "./node.js";
import { placeholdersIn } from "./placeholder.js";
import { Problems } from "./problems.js";
import type { ToolCall } from "./tool-calls.js";

/** A server that a definition can name. */
export interface KnownServer {
  name: string;
  /** Longhaul's own, which no agent can be given. */
  builtIn?: boolean | undefined;
  /** With the JSON schema of each one's params. Left out: it could not be asked. */
  tools?: readonly { name: string; inputSchema: JsonObject }[] | undefined;
}

/** What the parts of a value cannot change: it is so whatever a reference in them finds. */
const OF_THE_WHOLE = ["required", "additionalProperties", "type", "minItems", "maxItems", "minProperties", "maxProperties"];
const CHOICES = ["anyOf", "oneOf"];

/**
 * What of a definition's calls does not fit the servers there are: servers and tools that nobody has, and params that the tool does
 * not take. What a reference will find is not known, and left to the call itself; so is a schema that cannot be read.
 */
export function toolProblems(calls: readonly ToolCall[], servers: readonly KnownServer[]): Problem[] {
  const problems = new Problems();
  for (const { server: wanted, tool: wantedTool, at, params } of calls) {
    const names = servers.flatMap(({ name, builtIn }) => (builtIn && wantedTool === undefined ? [] : [name]));
    if (wantedTool === undefined) {
      if (!names.includes(wanted)) problems.add(at, noSuchServer(wanted, names));
      continue;
    }
    const server = servers.find(({ name }) => name === wanted);
    if (!server) {
      problems.add(at, `There is no tool server "${wanted}".${didYouMean(wanted, names)} There are ${names.join(", ")}.`);
      continue;
    }
    const tool = server.tools?.find(({ name }) => name === wantedTool);
    if (!server.tools) continue;
    if (!tool) {
      const tools = server.tools.map(({ name }) => name);
      problems.add(at, `The server "${wanted}" has no tool "${wantedTool}".${didYouMean(wantedTool, tools)}`);
      continue;
    }
    if (schemaProblem(tool.inputSchema) !== null) continue;
    const call = `${wanted}.${wantedTool}`;
    const value = params ? toJson(params) : {};
    const open = params ? openPaths(params) : [];
    for (const misfit of certain(misfitsOf(tool.inputSchema, value), open)) {
      problems.add(placeIn(params, misfit, at), sentence(call, misfit, tool.inputSchema));
    }
  }
  return problems.list();
}

function noSuchServer(wanted: string, names: readonly string[]): string {
  const there = names.length === 0 ? "It names none" : `It names ${names.join(", ")}`;
  return `.agent/mcp.json has no server "${wanted}" for an agent.${didYouMean(wanted, names)} ${there}.`;
}

/** Where references stand: nobody knows what will be there. */
function openPaths(node: Node, path: readonly string[] = []): (readonly string[])[] {
  if (node.kind === "list") return node.items.flatMap((item, i) => openPaths(item, [...path, `${i}`]));
  if (node.kind === "map") return node.entries.flatMap(({ key, value }) => openPaths(value, [...path, key]));
  const isOpen =
    typeof node.value === "string" && placeholdersIn(node.value, ["{{", "${"]).some((stretch) => !("text" in stretch));
  return isOpen ? [path] : [];
}

/** Misfits that no reference can mend. Of a choice that nothing fits, one stands for all its ways. */
function certain(misfits: readonly Misfit[], open: readonly (readonly string[])[]): Misfit[] {
  const choices = misfits.filter(({ keyword }) => CHOICES.includes(keyword));
  return misfits.filter((misfit) => {
    if (choices.some((choice) => choice !== misfit && isWayOf(misfit, choice))) return false;
    if (open.some((path) => begins(path, misfit.at))) return false;
    const isAbove = open.some((path) => begins(misfit.at, path));
    return !isAbove || (OF_THE_WHOLE.includes(misfit.keyword) && !/\/(then|else|not)\//.test(misfit.rule));
  });
}

function isWayOf({ rule, at }: Misfit, choice: Misfit): boolean {
  if (rule.startsWith(`${choice.rule}/`)) return true;
  return begins(choice.at, at) && /^#\/(\$defs|definitions)\//.test(rule);
}

function begins(start: readonly string[], path: readonly string[]): boolean {
  return start.every((part, i) => part === path[i]);
}

function placeIn(params: Mapping | undefined, { at, extra }: Misfit, otherwise: Place): Place {
  const node = params && at.reduce<Node>((node, part) => partOf(node, part) ?? node, params);
  const entry = node?.kind === "map" ? node.entries.find(({ key }) => key === extra) : undefined;
  return entry?.at ?? node ?? otherwise;
}

function partOf(node: Node, part: string): Node | undefined {
  if (node.kind === "list") return node.items[Number(part)];
  return node.kind === "map" ? node.entries.find(({ key }) => key === part)?.value : undefined;
}

function sentence(call: string, { keyword, at, words, missing, extra }: Misfit, schema: JsonObject): string {
  const where = at.length === 0 ? call : `"${at.join(".")}" of ${call}`;
  if (missing !== undefined) return `${where} needs "${missing}".`;
  if (extra !== undefined) {
    const known = at.length === 0 && isObject(schema.properties) ? Object.keys(schema.properties) : [];
    return `${where} takes no "${extra}".${didYouMean(extra, known)}`;
  }
  return CHOICES.includes(keyword) ? `${where} is nothing that fits.` : `${where} ${words}.`;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
