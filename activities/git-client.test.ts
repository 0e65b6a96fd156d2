import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GitProject, git, writeFile } from "../test/support/git-project.js";
import { ensureBranch } from "./branch.js";
import { commit, stageAll } from "./commit.js";
import { openGit } from "./git-client.js";
import { checkBranchName, resolveCommit } from "./git-refs.js";
import { readStatus } from "./git-status.js";
import { push } from "./push.js";
import { snapshotTree } from "./snapshot.js";
import { openWorkspace } from "./workspace.js";

let project: GitProject;
let home: string;

beforeEach(() => {
  project = new GitProject();
  home = join(project.folder, "home");
  mkdirSync(home);
});
afterEach(() => project.remove());

/** The environment of a user whose own configuration is the given text. */
function user(config: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  writeFileSync(join(home, ".gitconfig"), config);
  return { PATH: process.env.PATH, HOME: home, GIT_CONFIG_NOSYSTEM: "1", ...more };
}

/** A command that leaves a file when it runs. */
function trap(name: string): string {
  const script = join(project.folder, `${name}.sh`);
  writeFileSync(script, `#!/bin/sh\ntouch '${project.folder}/ran-${name}'\ncat\n`);
  chmodSync(script, 0o755);
  return script;
}

const ran = (name: string) => existsSync(join(project.folder, `ran-${name}`));

describe("a repository that has planted commands", () => {
  test("runs none of them when its tree is made, looked at, committed, kept and pushed", async () => {
    for (const hook of [
      "pre-commit",
      "commit-msg",
      "post-commit",
      "post-checkout",
      "pre-push",
      "reference-transaction",
      "post-index-change",
    ]) {
      const file = join(project.path, ".git/hooks", hook);
      writeFile(file, `#!/bin/sh\ntouch '${project.folder}/ran-${hook}'\n`);
      chmodSync(file, 0o755);
    }
    for (const [key, name] of [
      ["core.fsmonitor", "fsmonitor"],
      ["filter.evil.clean", "clean"],
      ["filter.evil.smudge", "smudge"],
      ["filter.a=b.c.clean", "odd"],
      ["filter.long.process", "process"],
      ["credential.helper", "helper"],
      ["core.sshCommand", "ssh"],
      ["core.askPass", "askpass"],
      ["core.editor", "editor"],
      ["core.pager", "pager"],
      ["gpg.program", "gpg"],
      ["diff.external", "diff"],
      ["diff.evil.textconv", "textconv"],
      ["core.alternateRefsCommand", "alternates"],
    ] as const) {
      git(project.path, "config", key, trap(name));
    }
    for (const key of ["filter.evil.required", "commit.gpgSign"]) git(project.path, "config", key, "true");
    git(project.path, "config", "core.hooksPath", join(project.path, ".git/hooks"));
    writeFile(
      join(project.path, ".git/info/attributes"),
      "*.bin filter=evil diff=evil\n*.odd filter=a=b.c\n*.long filter=long\n",
    );

    const run = project.run();
    await openWorkspace(run, { root: project.root });
    const client = await openGit(run.workspace.path);
    for (const name of ["a.bin", "b.odd", "c.long"]) writeFileSync(join(run.workspace.path, name), name);
    await ensureBranch(client, { name: "feature" });
    expect((await readStatus(client)).files).toHaveLength(3);
    await stageAll(client);
    await snapshotTree(client, "run_1", 1);
    expect(await commit(client, { message: "Add" }, { step: "run_1/1" })).toMatchObject({ created: true });
    await push(client, {});

    const allRan = () => readdirSync(project.folder).filter((name) => name.startsWith("ran-"));
    expect(allRan()).toEqual([]);
    expect(git(project.remote, "show", "feature:a.bin")).toBe("a.bin");

    // A git that nobody has told otherwise does run them.
    writeFileSync(join(run.workspace.path, "a.bin"), "again");
    git(run.workspace.path, "-c", "commit.gpgSign=false", "commit", "--quiet", "--all", "--message=Again");
    expect(allRan()).toEqual(expect.arrayContaining(["ran-clean", "ran-fsmonitor", "ran-pre-commit", "ran-post-commit"]));
  });

  test("cannot make a push run a program of its choice", async () => {
    git(project.path, "config", "remote.origin.receivepack", trap("receive"));
    await expect(push(await openGit(project.path), {})).rejects.toMatchObject({ type: "invalid_remote" });
    git(project.path, "config", "--unset", "remote.origin.receivepack");
    git(project.path, "config", `url.ext::${trap("ext")} %S.insteadOf`, project.remote);
    await expect(push(await openGit(project.path), {})).rejects.toMatchObject({ type: "invalid_remote" });
    expect([ran("receive"), ran("ext")]).toEqual([false, false]);
  });
});

describe("the user's own configuration", () => {
  test("gives identity, credentials and filters, and nothing that would run otherwise", async () => {
    const environment = user(`
[user]
  name = Grace
  email = grace@example.com
[credential]
  helper = "!echo password=secret; :"
[core]
  hooksPath = ${project.folder}/hooks
  fsmonitor = ${trap("own-monitor")}
[filter "own"]
  clean = ${trap("own-clean")}
[alias]
  status = "!touch /tmp/never"
`);
    const other = join(project.folder, "other");
    git(project.folder, "init", "--quiet", other);
    git(other, "config", "credential.helper", trap("theirs"));
    git(other, "config", "filter.own.clean", trap("their-clean"));
    writeFileSync(join(other, ".gitattributes"), "*.bin filter=own\n");
    writeFileSync(join(other, "a.bin"), "a");
    const client = await openGit(other, { environment });

    await commit(client, { message: "Add" }, { step: "run_1/1" });
    expect(await client.run(["log", "-1", "--format=%an <%ae>"])).toBe("Grace <grace@example.com>");
    expect(await client.run(["credential", "fill"], { input: "protocol=https\nhost=example.com\nusername=x\n\n" })).toContain(
      "password=secret",
    );
    expect([ran("own-clean"), ran("their-clean"), ran("theirs"), ran("own-monitor")]).toEqual([true, false, false, false]);
  });

  test("is not needed: Longhaul then commits in its own name", async () => {
    const other = join(project.folder, "other");
    git(project.folder, "init", "--quiet", other);
    writeFileSync(join(other, "a.txt"), "a");
    const client = await openGit(other, {
      environment: { PATH: process.env.PATH, HOME: join(home, "empty"), GIT_CONFIG_NOSYSTEM: "1" },
    });
    await commit(client, { message: "Add" }, { step: "run_1/1" });
    expect(await client.run(["log", "-1", "--format=%an <%ae>"])).toBe("Longhaul <longhaul@localhost>");
  });

  test("reaches git by no variable of ours", async () => {
    const environment = user("", {
      GIT_DIR: "/nowhere",
      GIT_INDEX_FILE: "/nowhere",
      EDITOR: "vi",
      LONGHAUL_TOKEN: "x",
      GIT_TRACE: "1",
    });
    const client = await openGit(project.path, { environment });
    expect((await readStatus(client)).branch).toBe("main");
  });
});

describe("refs", () => {
  test.each([
    "-f",
    "--output=/x",
    "--orphan",
    "a..b",
    "@{-1}",
    "x.lock",
    " ",
    "",
    "a\0b",
    "a b",
    "@",
    "HEAD",
    "a~1",
    "a:b",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a.",
    "a\n",
  ])("refuses the branch %j", async (name) => {
    const client = await openGit(project.path);
    await expect(checkBranchName(client, name)).rejects.toMatchObject({ type: "invalid_ref" });
    await expect(ensureBranch(client, { name })).rejects.toMatchObject({ type: "invalid_ref" });
    await expect(ensureBranch(client, { name: "fine", from: name === "HEAD" ? "-f" : name || "-" })).rejects.toMatchObject({
      type: expect.stringMatching("invalid_ref"),
    });
    expect(project.git("branch", "--format=%(refname:short)")).toBe("main");
    expect(existsSync("/x")).toBe(false);
  });

  test("takes ordinary names and what git allows behind a ref", async () => {
    const client = await openGit(project.path);
    for (const name of ["feature/x-1", "fix_#12", "añadir", "v1.0"]) expect(await checkBranchName(client, name)).toBe(name);
    project.git("commit", "--quiet", "--allow-empty", "--message=Second");
    expect(await resolveCommit(client, "main~1")).toBe(project.git("rev-parse", "main~1"));
  });
});
