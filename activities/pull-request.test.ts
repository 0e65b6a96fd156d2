import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type GitHubServer, startGitHubServer } from "../local/github-server.js";
import { GitProject, git } from "../test/support/git-project.js";
import { ensureBranch } from "./branch.js";
import { type Git, openGit } from "./git-client.js";
import { createPullRequest, type PullRequestInput } from "./pull-request.js";
import { push } from "./push.js";

let project: GitProject;
let server: GitHubServer;
let client: Git;

beforeEach(async () => {
  project = new GitProject();
  server = await startGitHubServer({ repositories: [{ owner: "ada", name: "engine", path: project.remote }], token: "right" });
  project.git("config", "longhaul.repository", "ada/engine");
  client = await openGit(project.path);
});
afterEach(async () => {
  await server.stop();
  project.remove();
});

const open = (input: PullRequestInput, { mark = "run_1/5", token = "right", from = null as string | null } = {}) =>
  createPullRequest(client, input, { apiUrl: server.url, token }, { mark, from });

async function feature(name = "feature"): Promise<void> {
  await ensureBranch(client, { name });
  project.git("commit", "--quiet", "--allow-empty", `--message=${name}`);
  await push(client, {});
}

describe("createPullRequest", () => {
  test("opens a pull request into the default branch, with the step's mark", async () => {
    await feature();
    const pull = await open({ title: "Add a feature", body: "What it does." });
    expect(pull).toEqual({ url: `${server.url}/ada/engine/pull/1`, number: 1, created: true });
    expect(server.pulls()).toMatchObject([
      { title: "Add a feature", head: "feature", base: "main", draft: false, state: "open" },
    ]);
    expect(server.pulls()[0]?.body).toBe("What it does.\n\n<!-- longhaul-step: run_1/5 -->\n");
    expect(await (await fetch(pull.url)).text()).toContain("Add a feature");
  });

  test("finds its own again, also when somebody has closed it", async () => {
    await feature();
    const first = await open({ title: "One" });
    expect(await open({ title: "One" })).toEqual({ ...first, created: false });
    await fetch(`${server.url}/repos/ada/engine/pulls/1`, {
      method: "PATCH",
      headers: { authorization: "token right" },
      body: JSON.stringify({ state: "closed" }),
    });
    expect(await open({ title: "One" })).toEqual({ ...first, created: false });
    expect(await open({ title: "Two" }, { mark: "run_2/5" })).toMatchObject({ number: 2, created: true });
  });

  test("finds the one that is open for the same branch and base", async () => {
    git(project.remote, "branch", "next", "main");
    await feature();
    const first = await open({ title: "One" });
    expect(await open({ title: "Two" }, { mark: "run_2/1" })).toEqual({ ...first, created: false });
    expect(await open({ title: "Three", base: "next", draft: true }, { mark: "run_3/1" })).toMatchObject({
      number: 2,
      created: true,
    });
    expect(await open({ title: "Four" }, { mark: "run_4/1", from: "next" })).toMatchObject({ number: 2, created: false });
  });

  test("makes one when two ask at the same time", async () => {
    await feature();
    const pulls = await Promise.all([open({ title: "One" }), open({ title: "Two" }, { mark: "run_2/1" })]);
    expect(pulls.map(({ number }) => number)).toEqual([1, 1]);
    expect(server.pulls()).toHaveLength(1);
  });

  test("says what GitHub does not like", async () => {
    await ensureBranch(client, { name: "unpushed" });
    await expect(open({ title: "One" })).rejects.toMatchObject({
      type: "github_invalid",
      message: expect.stringContaining("head is invalid"),
    });
    await push(client, {});
    await expect(open({ title: "One" })).rejects.toMatchObject({
      type: "github_invalid",
      message: expect.stringContaining("No commits between main and unpushed"),
    });
    await expect(open({ title: " " })).rejects.toMatchObject({ type: "invalid_input" });
    await expect(open({ title: "One", base: "--x" })).rejects.toMatchObject({ type: "invalid_ref" });
    project.git("switch", "--quiet", "--detach");
    await expect(open({ title: "One" })).rejects.toMatchObject({ type: "no_branch" });
  });

  test("names what is wrong with the token or the repository", async () => {
    await feature();
    await expect(open({ title: "One" }, { token: "" })).rejects.toMatchObject({ type: "github_token_missing" });
    await expect(open({ title: "One" }, { token: "wrong" })).rejects.toMatchObject({
      type: "github_unauthorized",
      message: expect.stringContaining("Bad credentials"),
    });
    server.refuseNext(403, "Resource not accessible by personal access token");
    await expect(open({ title: "One" })).rejects.toMatchObject({ type: "github_forbidden" });
    project.git("config", "longhaul.repository", "ada/other");
    await expect(open({ title: "One" })).rejects.toMatchObject({
      type: "github_not_found",
      message: expect.stringContaining("ada/other"),
    });
  });

  test("tells limits and outages apart, for another try", async () => {
    await feature();
    server.refuseNext(403, "You have exceeded a secondary rate limit.", { "retry-after": "7" });
    await expect(open({ title: "One" })).rejects.toMatchObject({ type: "github_rate_limited", output: { retry_after_ms: 7000 } });
    server.refuseNext(429, "Too many requests");
    await expect(open({ title: "One" })).rejects.toMatchObject({
      type: "github_rate_limited",
      output: { retry_after_ms: 60_000 },
    });
    server.refuseNext(502, "Server Error");
    const begun = Date.now();
    await expect(open({ title: "One" })).rejects.toMatchObject({ type: "github_unavailable" });
    expect(Date.now() - begun).toBeLessThan(5_000);
    const { url } = server;
    await server.stop();
    await expect(
      createPullRequest(client, { title: "One" }, { apiUrl: url, token: "right" }, { mark: "run_1/5" }),
    ).rejects.toMatchObject({ type: "github_unavailable" });
  });

  test("says so when the remote is no repository of the forge", async () => {
    await feature();
    project.git("config", "--unset", "longhaul.repository");
    await expect(open({ title: "One" })).rejects.toMatchObject({
      type: "no_forge",
      message: expect.stringContaining("git config longhaul.repository"),
    });
    for (const url of ["git@gitlab.com:ada/engine.git", "https://github.com/only"]) {
      project.git("remote", "set-url", "origin", url);
      await expect(open({ title: "One" })).rejects.toMatchObject({ type: "no_forge" });
    }
    project.git("remote", "set-url", "origin", `${server.url}/ada/engine.git`);
    expect(await open({ title: "One" })).toMatchObject({ number: 1 });
  });
});
