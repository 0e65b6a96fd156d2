import { runAcp } from "./acp-agent.js";
import { GEMINI } from "./gemini-binary.js";
import { chatOf, promptsIn, usedSince } from "./gemini-chat.js";
import { GEMINI_CREDENTIALS, prepareGemini } from "./gemini-home.js";
import type { AgentEnd, AgentProvider, AgentRequest } from "./provider.js";
import { findBinary, versionWarning } from "./user-binary.js";

/** The user's own Gemini CLI, by the Agent Client Protocol. */
export const gemini: AgentProvider = {
  name: "gemini",
  credentials: GEMINI_CREDENTIALS,
  address: "GOOGLE_GEMINI_BASE_URL",
  run: runGemini,
};

async function runGemini(request: AgentRequest): Promise<AgentEnd> {
  const program = findBinary(GEMINI, request.binary);
  const met = ({ version }: { version: string }) => {
    const warning = versionWarning(GEMINI, version);
    if (warning !== null) request.watch({ type: "warning", text: warning });
  };
  return runAcp(request, {
    title: GEMINI.title,
    keyHint: "Set GEMINI_API_KEY where Longhaul is started.",
    start: (_, session) => ({ program, met, ...prepareGemini(request, session) }),
    transcriptOf: ({ configDir }, sessionId) => chatOf(configDir, sessionId),
    promptsIn,
    used: usedSince,
  });
}
