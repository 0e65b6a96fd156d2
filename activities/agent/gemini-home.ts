import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLAIN } from "../environment.js";
import { homeOf, makeLoadable } from "./gemini-chat.js";
import type { AgentRequest } from "./provider.js";

/** Nobody may read these in a log, transcript or row. */
export const GEMINI_CREDENTIALS = ["GEMINI_API_KEY", "GOOGLE_API_KEY"] as const;

/** All that Gemini CLI may know of the worker's environment. */
const INHERITED = [...PLAIN, ...GEMINI_CREDENTIALS, "GOOGLE_GEMINI_BASE_URL"] as const;

/** Holds the system prompt of a session, in its folder. */
const WHOM = "longhaul.md";

/** How often the model is asked when its API answers with an error. */
const ATTEMPTS = 2;

/**
 * What is asked when the step names no model: the best one that the key has, as Gemini CLI finds it. Its own default is another model for
 * each prompt, chosen by a question to a third that nobody counts, and when that is away it tries for minutes.
 */
const MODEL = "pro";

/** How the process of a turn is told of its folder. */
export interface GeminiTurn {
  args: string[];
  env: Record<string, string>;
}

/**
 * Make Gemini CLI's folder ready for a turn. Each session has one of its own, as branches of a run may work at once with other
 * settings, and as its settings hold whom the session is to be. The tree is none that Gemini CLI trusts: what the repository has of
 * settings, hooks, servers, commands, skills and instructions for it is passed over.
 */
export function prepareGemini(request: AgentRequest, session: string | null): GeminiTurn {
  const { configDir, lineage, model, systemPrompt } = request;
  const name = createHash("sha256").update(lineage).digest("hex").slice(0, 16);
  const home = (session !== null && homeOf(configDir, session)) || join(configDir, name);
  const folder = join(home, ".gemini");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (session !== null) makeLoadable(configDir, session);
  else write(join(folder, WHOM), systemPrompt ?? "");
  write(join(folder, "settings.json"), JSON.stringify(settingsOf(request)));
  return {
    args: ["--acp", `--model=${model ?? MODEL}`],
    env: { ...geminiEnvironment(process.env, request), GEMINI_CLI_HOME: home },
  };
}

/** It asks nobody but us, reports to nobody, updates nothing, and the repository's files do not configure it. */
function settingsOf({ maxTurns, env }: AgentRequest) {
  return {
    general: {
      defaultApprovalMode: "default",
      enableAutoUpdate: false,
      enableAutoUpdateNotification: false,
      maxAttempts: ATTEMPTS,
      checkpointing: { enabled: false },
      plan: { enabled: false }, // its plans are files of its own, which a person is asked about
      sessionRetention: { enabled: false },
    },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
    ide: { enabled: false },
    context: { fileName: [WHOM] },
    model: { maxSessionTurns: maxTurns ?? -1 },
    tools: { shell: { enableInteractiveShell: false } },
    skills: { enabled: false },
    hooksConfig: { enabled: false },
    experimental: { enableAgents: false, autoMemory: false },
    advanced: { ignoreLocalEnv: true },
    security: {
      auth: { selectedType: "gemini-api-key" },
      folderTrust: { enabled: true },
      // Its commands do not get the key that it asks the model with; what the step gives them they do.
      environmentVariableRedaction: { enabled: true, allowed: Object.keys(env ?? {}), blocked: [...GEMINI_CREDENTIALS] },
    },
  };
}

/** The whole environment of a Gemini CLI process, built from an allow-list. */
function geminiEnvironment(own: NodeJS.ProcessEnv, { marks, env }: AgentRequest): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]));
  return {
    ...Object.fromEntries(inherited),
    ...env,
    GEMINI_CLI_NO_RELAUNCH: "true",
    GEMINI_CLI_TRUST_WORKSPACE: "false",
    GEMINI_TELEMETRY_ENABLED: "false",
    ...marks,
  };
}

/** Whole at every moment. */
function write(file: string, content: string): void {
  const part = `${file}.${process.pid}.part`;
  writeFileSync(part, content, { mode: 0o600 });
  renameSync(part, file);
}
