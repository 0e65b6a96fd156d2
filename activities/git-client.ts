import { type SimpleGit, simpleGit } from "simple-git";
import { StepFailure } from "./failure.js";
import { repositorySettings } from "./git-config.js";
import { gitEnvironment, parseSettings, type Setting, settingsFor, userSettings } from "./git-settings.js";
import type { Marks } from "./marks.js";

/** Git in one folder, made safe against what the repository there may hold. */
export interface Git {
  path: string;
  /** The names set in the repository's own configuration, in lower case but for their middle parts. */
  names: readonly string[];
  /**
   * Run a command and return what it prints, without the last line break.
   *
   * @throws {StepFailure} `git_failed` with git's own words; `invalid_input` for a NUL character.
   */
  run(args: readonly string[], options?: GitRun): Promise<string>;
  /** The same, or null when the command says no (exits with another code than 0). */
  ask(args: readonly string[], options?: GitRun): Promise<string | null>;
}

export interface GitRun {
  /** Text for its standard input. */
  input?: string | undefined;
  /** Another index than the tree's own. */
  index?: string | undefined;
  /** Pathspecs mean what they say. @default false */
  literalPaths?: boolean | undefined;
}

export interface GitOptions {
  /** For the environment of git's processes, so that they are found when the step is cancelled. */
  marks?: (Marks & Record<string, string>) | undefined;
  signal?: AbortSignal | undefined;
  /** Where HOME, PATH and the like come from. @default process.env */
  environment?: NodeJS.ProcessEnv | undefined;
}

/** For a command that says nothing, simple-git waits 50 ms more although all has been read: so each says at least this. */
const NOTHING = Buffer.alloc(0);

/** Who commits when the user's git says nothing. */
const NOBODY = { name: "Longhaul", email: "longhaul@localhost" };

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

/**
 * Git for a folder. Reads the repository's configuration first, so that no hook, filter, monitor, credential helper or
 * ssh command of the repository runs; the user's own helpers, keys and proxies work as in their shell. Identity is the
 * repository's or the user's, else Longhaul's. Settings travel in the environment, where their values are no arguments.
 *
 * @throws {StepFailure} `workspace_missing` when the folder is not there.
 */
export async function openGit(path: string, options: GitOptions = {}): Promise<Git> {
  const base = options.environment ?? process.env;
  const own = await userSettings(base);
  const common = gitEnvironment(options.marks, base);
  const settings = await repositorySettings(path, async () => {
    const variables = { ...common, ...asVariables([["safe.directory", path]]) };
    const { output } = await execute(path, variables, options, ["config", "--includes", "--list", "-z"]);
    return parseSettings(output ?? "").filter(([key]) => key !== "safe.directory");
  });
  const names = settings.map(([key]) => key);
  const value = (key: string) => [...own, ...settings].findLast(([name]) => name === key)?.[1];
  const environment = {
    ...common,
    ...asVariables([
      ...settingsFor(path, own, names),
      ["user.name", value("user.name") || NOBODY.name],
      ["user.email", value("user.email") || NOBODY.email],
    ]),
  };

  async function attempt(args: readonly string[], run: GitRun = {}): Promise<Executed> {
    if (args.some((arg) => arg.includes("\0"))) throw new StepFailure("invalid_input", "Git takes no NUL character.");
    const more: Record<string, string> = run.index ? { GIT_INDEX_FILE: run.index } : {};
    if (run.literalPaths) more.GIT_LITERAL_PATHSPECS = "1";
    return execute(path, { ...environment, ...more }, options, args, run.input);
  }

  return {
    path,
    names,
    async run(args, run) {
      const { output, problem } = await attempt(args, run);
      if (output === null) throw new StepFailure("git_failed", `git ${args[0]}: ${problem}`);
      return output;
    },
    async ask(args, run) {
      return (await attempt(args, run)).output;
    },
  };
}

interface Executed {
  /** Null when it failed. */
  output: string | null;
  problem: string;
}

async function execute(
  path: string,
  environment: Record<string, string>,
  { signal }: GitOptions,
  args: readonly string[],
  input?: string,
): Promise<Executed> {
  signal?.throwIfAborted();
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
  } catch (error) {
    throw new StepFailure("workspace_missing", `The folder ${path} is not there.`, undefined, { cause: error });
  }
  try {
    return { output: (await git.raw([...args])).replace(/\n$/, ""), problem: "" };
  } catch (error) {
    signal?.throwIfAborted();
    const problem = (error instanceof Error ? error.message : String(error)).trim().slice(0, 2_000);
    return { output: null, problem: problem || "it failed without a word" };
  }
}

/** What did not come from git, such as a missing program. */
function thrown(error: Buffer | Error | undefined): Error | undefined {
  return error instanceof Error ? error : undefined;
}

function asVariables(settings: readonly Setting[]): Record<string, string> {
  const pairs = settings.flatMap(([key, value], i) => [
    [`GIT_CONFIG_KEY_${i}`, key],
    [`GIT_CONFIG_VALUE_${i}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(settings.length), ...Object.fromEntries(pairs) };
}
