import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import { repositorySettings } from "./git-config.js";
import { parseSettings } from "./git-settings.js";

/** A repository whose configuration is old enough to be believed, and how often git was asked for it. */
async function repository() {
  const path = join(testFolder(), "repository");
  mkdirSync(path, { recursive: true });
  execFileSync("git", ["init", "-q"], { cwd: path });
  await sleep(1_100);
  const asked = { times: 0 };
  const settings = (folder = path) =>
    repositorySettings(folder, async () => {
      asked.times++;
      return parseSettings(execFileSync("git", ["config", "--includes", "--list", "-z"], { cwd: folder, encoding: "utf8" }));
    });
  const config = join(path, ".git", "config");
  return { path, config, asked, settings };
}

test("a configuration that has not changed is asked for once", async () => {
  const { asked, settings } = await repository();
  const first = await settings();
  expect(first).toContainEqual(["core.bare", "false"]);
  expect(await settings()).toEqual(first);
  expect(asked.times).toBe(1);
});

test("a change is seen at once, also one that hides behind the old size and time", async () => {
  const { config, asked, settings } = await repository();
  await settings();
  const { mtime } = statSync(config);
  writeFileSync(config, readFileSync(config, "utf8").replace("bare = false", "bare = true "));
  utimesSync(config, mtime, mtime);
  expect(await settings()).toContainEqual(["core.bare", "true"]);
  appendFileSync(config, '[filter "x"]\n\tclean = evil\n');
  expect(await settings()).toContainEqual(["filter.x.clean", "evil"]);
  expect(asked.times).toBe(3);
});

test("a file that has just been written is not believed to stay as it is", async () => {
  const { config, asked, settings } = await repository();
  appendFileSync(config, "[a]\n\tb = 1\n");
  await settings();
  await settings();
  expect(asked.times).toBe(2);
});

test("a configuration that includes another is asked for each time", async () => {
  const { path, config, asked, settings } = await repository();
  const other = join(path, "other.config");
  writeFileSync(other, "[a]\n\tb = 1\n");
  appendFileSync(config, `[include]\n\tpath = ${other}\n`);
  await sleep(1_100);
  expect(await settings()).toContainEqual(["a.b", "1"]);
  writeFileSync(other, "[a]\n\tb = 2\n");
  expect(await settings()).toContainEqual(["a.b", "2"]);
  expect(asked.times).toBe(2);
});

test("a worktree has the configuration of its repository, and its own", async () => {
  const { path, config, asked, settings } = await repository();
  const identity = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
  execFileSync("git", [...identity, "commit", "-q", "--allow-empty", "-m", "first"], { cwd: path });
  const tree = join(path, "..", "tree");
  execFileSync("git", ["worktree", "add", "-q", tree], { cwd: path });
  await settings(tree);
  await settings(tree);
  expect(asked.times).toBe(1);
  appendFileSync(config, "[extensions]\n\tworktreeConfig = true\n");
  expect(await settings(tree)).toContainEqual(["extensions.worktreeconfig", "true"]);
  execFileSync("git", ["config", "--worktree", "a.b", "1"], { cwd: tree });
  expect(await settings(tree)).toContainEqual(["a.b", "1"]);
});

test("a folder within a repository is asked for each time", async () => {
  const { path, asked, settings } = await repository();
  mkdirSync(join(path, "part"));
  await settings(join(path, "part"));
  await settings(join(path, "part"));
  expect(asked.times).toBe(2);
});
