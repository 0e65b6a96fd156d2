import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import type { Halt } from "../../contract/halt.js";
import { isGitFolder } from "../inside.js";
import { AcpToolCall, inputOf, pathsOf, toolOf } from "./acp-telling.js";
import type { PermissionDenial } from "./answer.js";
import type { AgentRequest } from "./provider.js";

/** `session/request_permission`. */
export const PermissionAsked = z.looseObject({
  toolCall: AcpToolCall,
  options: z.array(z.looseObject({ optionId: z.string(), kind: z.string() })),
});
export type PermissionAsked = z.infer<typeof PermissionAsked>;

/** Kinds of tools that change nothing and reach nobody. */
const READS = ["read", "search", "think"];
const EDITS = ["edit", "delete", "move"];

/** What becomes of a request: `denial` and `halt` refuse it, and after a halt the turn ends. */
export type AcpPermitted = { allow: true } | { denial: PermissionDenial } | { halt: Halt };

/** Whether the agent may do what it asks for: by the permission of its step, else by what people have decided or are to decide. */
export async function permit(
  call: AcpToolCall,
  request: Pick<AgentRequest, "permission" | "cwd" | "permit">,
): Promise<AcpPermitted> {
  const { permission, cwd } = request;
  const kind = call.kind ?? "other";
  if (permission === "bypassPermissions" || READS.includes(kind)) return { allow: true };
  const paths = pathsOf(call);
  if (permission === "acceptEdits" && EDITS.includes(kind) && paths.length > 0) {
    if (paths.every((path) => isOfTree(path, cwd))) return { allow: true };
  }
  const [tool, input] = [toolOf(call), inputOf(call)];
  const decided = await request.permit({ tool, input });
  return "deny" in decided ? { denial: { tool, input, reason: decided.deny } } : decided;
}

/** The answer in the agent's own words: of what it offers, what says least. */
export function outcomeOf({ options }: PermissionAsked, isAllowed: boolean): unknown {
  const kinds = isAllowed ? ["allow_once", "allow_always"] : ["reject_once", "reject_always"];
  const option = kinds.flatMap((kind) => options.filter((each) => each.kind === kind))[0];
  return { outcome: option ? { outcome: "selected", optionId: option.optionId } : { outcome: "cancelled" } };
}

/** Whether a path, links resolved, is of the tree and not of git's own. */
function isOfTree(path: string, cwd: string): boolean {
  const top = realpathSync(cwd);
  const place = relative(top, settled(resolve(top, path)));
  const parts = place.split(sep);
  return place !== "" && parts[0] !== ".." && !parts.some(isGitFolder);
}

/** With links resolved as far as it is there; a link to nothing leads nowhere in the tree. */
function settled(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    if (lstatSync(path, { throwIfNoEntry: false })) return sep;
    return dirname(path) === path ? path : join(settled(dirname(path)), basename(path));
  }
}
