import { type SimpleGit, simpleGit } from "simple-git";

/** A command of git, with all that it may know. */
export interface GitCommand {
  /** The folder it runs in. */
  path: string;
  /** The whole environment; settings are in it. */
  environment: Record<string, string>;
  args: readonly string[];
  /** Text for its standard input. */
  input?: string | undefined;
}

export interface GitResult {
  /** Without the last line break; null when it failed. */
  output: string | null;
  problem: string;
}

/** Runs a command of git; null when its folder is not there. */
export type RunGit = (command: GitCommand, signal?: AbortSignal) => Promise<GitResult | null>;

/** For a command that says nothing, simple-git waits 50 ms more although all has been read: so each says at least this. */
const NOTHING = Buffer.alloc(0);

/** What `settingsFor` may set and a caller of simple-git otherwise may not. What only arguments could do stays refused. */
const OUR_SETTINGS = {
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeHooksPath: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeFilter: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeSshCommand: true,
  allowUnsafeAskPass: true,
  allowUnsafeGitProxy: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeUrlRewrite: true,
  allowUnsafeEditor: true,
  allowUnsafePager: true,
} as const;

/** Run it as a child of this very process. */
export const runGitHere: RunGit = async ({ path, environment, args, input }, signal) => {
  let git: SimpleGit;
  try {
    git = simpleGit({
      baseDir: path,
      allowEnvironment: Object.keys(environment),
      unsafe: OUR_SETTINGS,
      ...(signal ? { abort: signal } : {}),
      ...(input === undefined ? {} : { input: () => input }),
      // By exit code alone: some commands answer no without a word.
      errors: (error, { exitCode, stdErr, stdOut }) =>
        exitCode === 0 ? undefined : (thrown(error) ?? Buffer.concat([...stdErr, ...stdOut])),
      // The end is the end of the output; what a credential helper leaves in the background may hold that open.
      completion: { onClose: true, onExit: 1_000 },
    })
      .env(environment)
      .outputHandler((_command, stdout) => void setImmediate(() => stdout.emit("data", NOTHING)));
  } catch {
    return null;
  }
  try {
    return { output: (await git.raw([...args])).replace(/\n$/, ""), problem: "" };
  } catch (error) {
    const problem = (error instanceof Error ? error.message : String(error)).trim().slice(0, 2_000);
    return { output: null, problem: problem || "it failed without a word" };
  }
};

/** What did not come from git, such as a missing program. */
function thrown(error: Buffer | Error | undefined): Error | undefined {
  return error instanceof Error ? error : undefined;
}
