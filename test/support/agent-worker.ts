import type { AgentRequest } from "../../activities/agent/provider.js";
import { PROVIDERS } from "../../activities/agent/providers.js";
import type { AgentName } from "../../contract/agent-provider.js";

/** A process that gives an agent one turn and can be killed, as a worker can. */
process.once("message", ({ name, request }: { name: AgentName; request: Omit<AgentRequest, "signal" | "watch"> }) => {
  void PROVIDERS[name].run({ ...request, signal: new AbortController().signal, watch: () => {} });
});
