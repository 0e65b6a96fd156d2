import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import { StepFailure } from "./failure.js";

/** Where a remote is. */
export type Remote =
  | { kind: "https" | "http" | "ssh"; host: string /** Without slashes at its ends and without `.git`. */; path: string }
  | { kind: "local"; path: string };

/**
 * Read a remote's address, which is given to git only when this accepts it: `https://`, `ssh://`, `user@host:path`, `http://`
 * on this machine, and an absolute path or `file://` where the project itself has it configured.
 *
 * @throws {StepFailure} `invalid_remote` for everything else: other schemes and helpers (`ext::`), what looks like an
 *   option, an address by which machines in a cloud hand out their credentials.
 */
export function parseRemote(url: string): Remote {
  const refuse = (why: string) => new StepFailure("invalid_remote", `${JSON.stringify(withoutPassword(url))} ${why}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (url === "" || /[\x00-\x20\x7f]/.test(url))
    throw refuse("is no address: it is empty, or holds blanks or control characters.");
  if (url.startsWith("-") || url.includes("::")) throw refuse("is not an address that Longhaul gives to git.");
  if (isAbsolute(url)) return { kind: "local", path: url };

  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return parseShort(url, refuse);
  if (!URL.canParse(url)) throw refuse("is no address.");
  const { hostname, pathname, username } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const path = tidy(decodeURIComponent(pathname));
  if (scheme === "file") {
    if (host !== "" && host !== "localhost") throw refuse("names a file on another machine.");
    return { kind: "local", path: decodeURIComponent(pathname) };
  }
  if (scheme !== "https" && scheme !== "ssh" && scheme !== "http") {
    throw refuse(`begins with ${scheme}://. Longhaul talks to remotes by https and ssh.`);
  }
  if (!isHost(host) || decodeURIComponent(username).startsWith("-")) throw refuse("names no host.");
  if (isMetadata(host)) throw refuse("is an address inside a machine's network where no repositories are.");
  if (scheme === "http" && !isLocalHost(host)) throw refuse("would send passwords unprotected. Use https.");
  return { kind: scheme, host, path };
}

/** `user@host:path` */
function parseShort(url: string, refuse: (why: string) => StepFailure): Remote {
  const [, user, host, path] = /^(?:([^@:/]+)@)?([^@:/]+):(.+)$/.exec(url) ?? [];
  if (!host || !path || !isHost(host.toLowerCase()) || user?.startsWith("-"))
    throw refuse("is not an address that Longhaul gives to git.");
  if (isMetadata(host.toLowerCase())) throw refuse("is an address inside a machine's network where no repositories are.");
  return { kind: "ssh", host: host.toLowerCase(), path: tidy(path) };
}

/** Owner and name of a repository on a forge: the last two parts of its path. Null for a path of another shape. */
export function repositoryOf(remote: Remote): { owner: string; name: string } | null {
  if (remote.kind === "local") return null;
  return parseRepository(remote.path);
}

/** `owner/name` */
export function parseRepository(text: string): { owner: string; name: string } | null {
  const [, owner, name] = /^([A-Za-z0-9_.-]+)\/([A-Za-z0-9_.-]+)$/.exec(text) ?? [];
  const isName = (part: string | undefined) => part !== undefined && !/^\.{1,2}$/.test(part);
  return isName(owner) && isName(name) ? { owner: owner!, name: name! } : null;
}

export function isLocalHost(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function tidy(path: string): string {
  return path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");
}

function isHost(host: string): boolean {
  return isIP(host) !== 0 || /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(host);
}

/** Link-local addresses and the names that clouds give them. `URL` has already made one form of all ways to write IPv4. */
function isMetadata(host: string): boolean {
  return (
    /^169\.254\./.test(host) ||
    /^(::ffff:(169\.254\.|a9fe:)|fe[89ab][0-9a-f]:|fd00:ec2:)/.test(host) ||
    /^metadata(\.|$)/.test(host) ||
    host === "0.0.0.0" ||
    host === "::"
  );
}

/** An address as it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, "$1");
}
