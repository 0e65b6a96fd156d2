import { StepFailure } from "./failure.js";
import type { GitResult } from "./git-command.js";
import { repositorySettings } from "./git-config.js";
import { gitEnvironment, parseSettings, type Setting, settingsFor, userSettings } from "./git-settings.js";
import { runGit } from "./launcher.js";
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

/** Who commits when the user's git says nothing. */
const NOBODY = { name: "Longhaul", email: "longhaul@localhost" };

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

  async function attempt(args: readonly string[], run: GitRun = {}): Promise<GitResult> {
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

async function execute(
  path: string,
  environment: Record<string, string>,
  { signal }: GitOptions,
  args: readonly string[],
  input?: string,
): Promise<GitResult> {
  signal?.throwIfAborted();
  const result = await runGit({ path, environment, args, input }, signal);
  if (result === null) throw new StepFailure("workspace_missing", `The folder ${path} is not there.`);
  if (result.output === null) signal?.throwIfAborted();
  return result;
}

function asVariables(settings: readonly Setting[]): Record<string, string> {
  const pairs = settings.flatMap(([key, value], i) => [
    [`GIT_CONFIG_KEY_${i}`, key],
    [`GIT_CONFIG_VALUE_${i}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(settings.length), ...Object.fromEntries(pairs) };
}
