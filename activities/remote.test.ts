import { describe, expect, test } from "vitest";
import { parseRemote, parseRepository, repositoryOf } from "./remote.js";

describe("parseRemote", () => {
  test.each([
    ["https://github.com/ada/engine.git", { kind: "https", host: "github.com", path: "ada/engine" }],
    ["https://token@github.com/ada/engine/", { kind: "https", host: "github.com", path: "ada/engine" }],
    ["ssh://git@git.example.com:2222/ada/engine.git", { kind: "ssh", host: "git.example.com", path: "ada/engine" }],
    ["git@github.com:ada/engine.git", { kind: "ssh", host: "github.com", path: "ada/engine" }],
    ["github-work:ada/engine", { kind: "ssh", host: "github-work", path: "ada/engine" }],
    ["http://127.0.0.1:4000/ada/engine.git", { kind: "http", host: "127.0.0.1", path: "ada/engine" }],
    ["/srv/git/engine.git", { kind: "local", path: "/srv/git/engine.git" }],
    ["file:///srv/git/engine.git", { kind: "local", path: "/srv/git/engine.git" }],
  ])("takes %s", (url, remote) => expect(parseRemote(url)).toEqual(remote));

  test.each([
    "",
    "ext::sh -c touch% /tmp/x",
    "ext::sh",
    "fd::17",
    "--upload-pack=touch",
    "-oProxyCommand=touch",
    "ssh://-oProxyCommand=touch/x",
    "ssh://-l@host/x",
    "-x@host:path",
    "user@-oProxyCommand=x:path",
    "-u./payload",
    "../../..",
    "sub/folder",
    "git://github.com/ada/engine",
    "ftp://example.com/x",
    "javascript://x/y",
    "http://example.com/ada/engine",
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/x",
    "https://0xa9fea9fe/x",
    "https://2852039166/x",
    "https://[fe80::1]/x",
    "https://[::ffff:169.254.169.254]/x",
    "git@169.254.169.254:ada/engine",
    "https://metadata.google.internal/x",
    "file://elsewhere/etc",
    "https://github.com/ada/engine\n--force",
    "https://github.com/ada/engine\0",
  ])("refuses %j", (url) => expect(() => parseRemote(url)).toThrow(expect.objectContaining({ type: "invalid_remote" })));

  test("shows no password", () => {
    expect(() => parseRemote("http://ada:geheim@example.com/x")).toThrow(/^(?!.*geheim)/);
  });
});

test("a repository's owner and name are the two parts of its path", () => {
  expect(repositoryOf(parseRemote("git@github.com:ada/engine.git"))).toEqual({ owner: "ada", name: "engine" });
  expect(repositoryOf(parseRemote("/srv/ada/engine.git"))).toBeNull();
  expect(parseRepository("ada/engine/more")).toBeNull();
  expect(parseRepository("../engine")).toBeNull();
});
