import { createPermit } from "../../activities/agent/permit.js";
import type { AgentRequest, Permission } from "../../activities/agent/provider.js";

/** Decides as in a run that nobody attends. */
export function refusing(permission: Permission): AgentRequest["permit"] {
  return createPermit({ permission, tree: "", who: "", mask: (text) => text });
}
