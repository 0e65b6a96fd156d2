import type { Marks } from "./marks.js";

/** Our own settings and secrets, and what npm adds for the script that started us. */
const OURS = /^(LONGHAUL_.*|TEMPORAL_.*|DATABASE_URL|PGPASSWORD|GITHUB_TOKEN|NODE_CHANNEL_.*|npm_.*|INIT_CWD)$/i;

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

/**
 * The environment of a child process: that of the worker without what is Longhaul's own, then the
 * additions, then the marks. Proxies, PATH and HOME stay. The marks cannot be overridden.
 */
export function childEnvironment(
  marks: Partial<Marks>,
  additions: Readonly<Record<string, string>> = {},
  base: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const kept = Object.entries(base).filter((entry): entry is [string, string] => entry[1] !== undefined && !OURS.test(entry[0]));
  return { ...Object.fromEntries(kept), ...additions, ...marks };
}
