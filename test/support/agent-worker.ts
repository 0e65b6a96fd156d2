import type { AgentRequest } from "../../activities/agent/provider.js";
import { agentProvider } from "../../activities/agent/providers.js";
import type { AgentName } from "../../contract/agent-provider.js";
import { refusing } from "./agent-refusing.js";

/** A process that gives an agent one turn and can be killed, as a worker can. */
process.once("message", ({ name, request }: { name: AgentName; request: Omit<AgentRequest, "signal" | "watch" | "permit"> }) => {
  void agentProvider(name).run({
    ...request,
    permit: refusing(request.permission),
    signal: new AbortController().signal,
    watch: () => {},
  });
});
