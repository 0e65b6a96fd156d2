import { runAcp } from "./acp-agent.js";
import { GROK } from "./grok-binary.js";
import { GROK_CREDENTIALS, prepareGrok } from "./grok-home.js";
import { promptsIn, transcriptOf, usedSince } from "./grok-session.js";
import type { AgentEnd, AgentProvider, AgentRequest } from "./provider.js";
import { findBinary, versionOf, versionWarning } from "./user-binary.js";

/** The user's own Grok Build, by the Agent Client Protocol. */
export const grok: AgentProvider = { name: "grok", credentials: GROK_CREDENTIALS, address: "XAI_BASE_URL", run: runGrok };

async function runGrok(request: AgentRequest): Promise<AgentEnd> {
  const program = findBinary(GROK, request.binary);
  const warning = versionWarning(GROK, await versionOf(GROK, program));
  if (warning !== null) request.watch({ type: "warning", text: warning });
  return runAcp(request, {
    title: GROK.title,
    keyHint: "Set XAI_API_KEY where Longhaul is started.",
    start: (_, session) => ({ program, ...prepareGrok(request, session) }),
    transcriptOf: ({ configDir }, sessionId) => transcriptOf(configDir, sessionId),
    promptsIn,
    used: usedSince,
  });
}
