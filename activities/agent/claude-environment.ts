import { join } from "node:path";
import { PLAIN } from "../environment.js";
import type { Marks } from "../marks.js";

/** All that Claude Code may know of the worker's environment. */
const INHERITED = [
  ...PLAIN,
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_AUTH_TOKEN",
  "ANTHROPIC_BASE_URL",
  "CLAUDE_CODE_OAUTH_TOKEN",
] as const;

/** Those of them that nobody may read in a log, transcript or row. */
export const CLAUDE_CREDENTIALS = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"] as const;

/** Claude Code's own switches: it reports to nobody, updates nothing, and starts nothing that outlives its turn. */
const QUIET = {
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  DISABLE_AUTOUPDATER: "1",
  DISABLE_TELEMETRY: "1",
  DISABLE_ERROR_REPORTING: "1",
  CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY: "1",
  CLAUDE_CODE_DISABLE_TERMINAL_TITLE: "1",
  CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
  CLAUDE_CODE_DISABLE_AUTO_MEMORY: "1",
  CLAUDE_CODE_DISABLE_CRON: "1",
  CLAUDE_AGENT_SDK_CLIENT_APP: "longhaul",
};

export interface ClaudeEnvironment {
  /** Where Claude Code keeps settings, transcripts and its temporary files: outside the run's tree. */
  configDir: string;
  marks: Marks;
  /** The step's own variables; they cannot replace ours. */
  extra?: Readonly<Record<string, string>> | undefined;
  /** Claude Code refuses bypassPermissions to root unless it is told that it may. */
  rootMayBypass: boolean;
}

/** The whole environment of a Claude Code process, built from an allow-list. */
export function claudeEnvironment(own: NodeJS.ProcessEnv, options: ClaudeEnvironment): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]));
  return {
    ...Object.fromEntries(inherited),
    ...options.extra,
    ...QUIET,
    CLAUDE_CONFIG_DIR: options.configDir,
    CLAUDE_CODE_TMPDIR: join(options.configDir, "tmp"),
    ...(options.rootMayBypass ? { IS_SANDBOX: "1" } : {}),
    ...options.marks,
  };
}
