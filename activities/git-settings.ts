import { tmpdir } from "node:os";
import { simpleGit } from "simple-git";
import { childEnvironment } from "./environment.js";
import { StepFailure } from "./failure.js";
import type { Marks } from "./marks.js";

/** A line of a git configuration. */
export type Setting = readonly [key: string, value: string];

/**
 * What we take over from the configuration of the user who runs Longhaul (`~/.gitconfig` and the system's): who they are,
 * how they reach their remotes, and filters such as LFS that they themselves set up. Nothing else of it has an effect.
 */
const TAKEN_OVER =
  /^(user\.(name|email)|credential\..*|http\..*|ssh\.variant|url\..*\.(insteadof|pushinsteadof)|core\.(sshcommand|askpass|gitproxy|excludesfile|autocrlf|eol)|filter\..*)$/i;

/** Variables of the user's own environment by which they reach their remotes. */
const REACH = ["GIT_SSH_COMMAND", "GIT_SSH", "GIT_ASKPASS", "SSH_ASKPASS"];

const FORBIDDEN = /^(GIT_.*|EDITOR|VISUAL|PAGER|PREFIX|LESS|LV)$/i;

/**
 * The environment of git: the worker's without what is Longhaul's own, without any GIT_ variable, editor or pager. HOME and
 * SSH_AUTH_SOCK stay, so that keys and stored passwords are found; nothing ever asks on a terminal.
 */
export function gitEnvironment(marks: Marks | undefined, base: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(childEnvironment(marks ?? { LONGHAUL_RUN_ID: "" }, {}, base)).filter(
    ([name]) => !FORBIDDEN.test(name),
  );
  const environment = Object.fromEntries(kept);
  if (!marks) delete environment.LONGHAUL_RUN_ID;
  for (const name of REACH) if (base[name]) environment[name] = base[name];
  return {
    ...environment,
    LC_ALL: "C",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_LITERAL_PATHSPECS: "0",
    GIT_LFS_SKIP_SMUDGE: "1",
    GIT_ALLOW_PROTOCOL: "file:http:https:ssh",
    GIT_EDITOR: "true",
    GIT_PAGER: "cat",
    ...(environment.GIT_SSH_COMMAND || environment.GIT_SSH ? {} : { SSH_ASKPASS_REQUIRE: "never" }),
  };
}

/** What holds for every git we start, whatever a repository says: nothing of its configuration is a program that runs. */
const GUARDS: readonly Setting[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.untrackedCache", "keep"],
  ["core.alternateRefsCommand", "true"],
  ["protocol.ext.allow", "never"],
  ["protocol.fd.allow", "never"],
  ["submodule.recurse", "false"],
  ["fetch.recurseSubmodules", "false"],
  ["push.recurseSubmodules", "no"],
  ["commit.gpgSign", "false"],
  ["tag.gpgSign", "false"],
  ["push.gpgSign", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["advice.detachedHead", "false"],
  ["core.quotePath", "false"],
];

/** Commands that a repository may not set at all for a remote: to override them would hide that something is wrong. */
const REMOTE_PROGRAM = /^remote\.(.*)\.(uploadpack|receivepack|vcs)$/i;

/**
 * The settings that go with every command in a repository: the guards, then the user's own, and for each program that the
 * repository's configuration would run either the user's own word or nothing.
 *
 * @param own what the user's configuration says (`userSettings`).
 * @param names every name set in the repository's configuration.
 */
export function settingsFor(path: string, own: readonly Setting[], names: readonly string[]): Setting[] {
  const settings: Setting[] = [["safe.directory", path], ...GUARDS];
  const ownValue = (name: string) => own.findLast(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];

  for (const name of new Set(names)) {
    if (/^filter\..*\.(clean|smudge|process)$/i.test(name)) settings.push([name, ownValue(name) ?? ""]);
    if (/^filter\..*\.required$/i.test(name)) settings.push([name, ownValue(name) ?? "false"]);
  }
  settings.push(["core.sshCommand", ownValue("core.sshCommand") ?? "ssh -oBatchMode=yes"]);
  settings.push(["core.askPass", ownValue("core.askPass") ?? ""]);
  settings.push(["core.gitProxy", ownValue("core.gitProxy") ?? ""]);
  settings.push(["credential.helper", ""]); // forgets the repository's helpers; the user's own follow
  settings.push(...own.filter(([key]) => !/^(filter\..*|core\.(sshcommand|askpass|gitproxy)|user\..*)$/i.test(key)));
  settings.push(...own.filter(([key]) => /^filter\./i.test(key)));
  return settings;
}

/** The first name in a configuration that makes a remote run a program, if there is one. */
export function remoteProgram(names: readonly string[], remote: string): string | undefined {
  return names.find((name) => REMOTE_PROGRAM.exec(name)?.[1] === remote);
}

/** How long what the user's configuration said is believed, in milliseconds. */
const BELIEVED_MS = 10_000;
const read = new Map<string, { at: number; settings: Promise<Setting[]> }>();

/** The user's own configuration, as far as it is taken over. Without one: nothing. */
export function userSettings(base: NodeJS.ProcessEnv): Promise<Setting[]> {
  const key = `${base.HOME}\n${base.XDG_CONFIG_HOME}\n${base.GIT_CONFIG_GLOBAL}\n${base.GIT_CONFIG_SYSTEM}\n${base.GIT_CONFIG_NOSYSTEM}`;
  const known = read.get(key);
  if (known && Date.now() - known.at < BELIEVED_MS) return known.settings;
  const settings = Promise.all(["--system", "--global"].map((scope) => readScope(scope, base))).then((lists) => lists.flat());
  read.set(key, { at: Date.now(), settings });
  settings.catch(() => read.delete(key));
  return settings;
}

async function readScope(scope: string, base: NodeJS.ProcessEnv): Promise<Setting[]> {
  const names = ["HOME", "PATH", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];
  const env = Object.fromEntries(names.flatMap((name) => (base[name] === undefined ? [] : [[name, base[name]]])));
  const git = simpleGit({ baseDir: tmpdir(), allowEnvironment: names, unsafe: { allowUnsafeConfigPaths: true } }).env(env);
  try {
    return parseSettings(await git.raw("config", scope, "--includes", "--list", "-z")).filter(([key]) => TAKEN_OVER.test(key));
  } catch (error) {
    if (error instanceof Error && /ENOENT.*git|spawn git/.test(error.message)) {
      throw new StepFailure("git_missing", "The program git is not installed, or not in PATH.", undefined, { cause: error });
    }
    return []; // there is no such file
  }
}

/** The output of `git config --list -z`. */
export function parseSettings(text: string): Setting[] {
  return text
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => {
      const end = entry.indexOf("\n");
      return end < 0 ? [entry, "true"] : [entry.slice(0, end), entry.slice(end + 1)];
    });
}
