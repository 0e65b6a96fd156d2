import { isOurs } from "../contract/environment.js";
import type { Marks } from "./marks.js";

/** What a process may know of the worker's environment that is told by list alone: no secrets. */
export const PLAIN = [
  "PATH",
  "HOME",
  "LANG",
  "LC_ALL",
  "TERM",
  "TMPDIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "NODE_EXTRA_CA_CERTS",
] as const;

/** What every command and tool server inherits of the worker's environment. */
const BASE: readonly string[] = [
  ...PLAIN,
  "USER",
  "LOGNAME",
  "SHELL",
  "TZ",
  "LANGUAGE",
  "LC_CTYPE",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

export function isBase(name: string): boolean {
  return BASE.includes(name);
}

/** The part of an environment that every command and tool server inherits. */
export function baseOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(BASE.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** The environment of a step's command: the base of the worker's, then the additions, then the marks, which stay what they are. */
export function stepEnvironment(
  marks: Partial<Marks>,
  additions: Readonly<Record<string, string>> = {},
  own: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  return { ...baseOf(own), ...additions, ...marks };
}

/**
 * The environment of a child process: that of the worker without what is Longhaul's own, then the
 * additions, then the marks. Proxies, PATH and HOME stay. The marks cannot be overridden.
 */
export function childEnvironment(
  marks: Partial<Marks>,
  additions: Readonly<Record<string, string>> = {},
  base: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const kept = Object.entries(base).filter((entry): entry is [string, string] => entry[1] !== undefined && !isOurs(entry[0]));
  return { ...Object.fromEntries(kept), ...additions, ...marks };
}
