import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GitProject, git } from "../test/support/git-project.js";
import { type GitHubServer, startGitHubServer } from "./github-server.js";

let project: GitProject;
let server: GitHubServer;

beforeEach(async () => {
  project = new GitProject();
  server = await startGitHubServer({ repositories: [{ owner: "ada", name: "engine", path: project.remote }] });
});
afterEach(async () => {
  await server.stop();
  project.remove();
});

async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${server.url}/repos/ada/engine${path}`, {
    method,
    headers: { authorization: "Bearer any" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

describe("a GitHub of one's own", () => {
  test("serves the repository, its branches and refs", async () => {
    const sha = git(project.remote, "rev-parse", "main");
    expect(await ask("GET", "")).toMatchObject({ status: 200, body: { full_name: "ada/engine", default_branch: "main" } });
    expect(await ask("GET", "/branches/main")).toMatchObject({ status: 200, body: { commit: { sha } } });
    expect(await ask("POST", "/git/refs", { ref: "refs/heads/new", sha })).toMatchObject({ status: 201 });
    expect(await ask("POST", "/git/refs", { ref: "refs/heads/new", sha })).toMatchObject({
      status: 422,
      body: { message: "Reference already exists" },
    });
    expect(git(project.remote, "rev-parse", "new")).toBe(sha);
    expect(await ask("GET", "/git/matching-refs/heads/n")).toMatchObject({ body: [{ ref: "refs/heads/new", object: { sha } }] });
    expect(await ask("DELETE", "/git/refs/heads/new")).toMatchObject({ status: 204 });
    expect(await ask("GET", "/git/ref/heads/new")).toMatchObject({ status: 404, body: { message: "Not Found" } });
  });

  test("keeps issues with labels and comments", async () => {
    expect(await ask("POST", "/issues", { title: "Broken", labels: ["bug"] })).toMatchObject({
      status: 201,
      body: { number: 1, state: "open", labels: [{ name: "bug" }] },
    });
    expect(await ask("POST", "/issues", { body: "x" })).toMatchObject({
      status: 422,
      body: { message: "Validation Failed", errors: [{ resource: "Issue", field: "title", code: "missing_field" }] },
    });
    expect(await ask("POST", "/issues/1/comments", { body: "Seen" })).toMatchObject({ status: 201, body: { body: "Seen" } });
    expect(await ask("GET", "/issues/1")).toMatchObject({ body: { comments: 1 } });
    expect(await ask("POST", "/issues/1/labels", ["later"])).toMatchObject({ status: 200 });
    expect(await ask("DELETE", "/issues/1/labels/bug")).toMatchObject({ status: 200, body: [{ name: "later" }] });
    expect(await ask("POST", "/labels", { name: "bug" })).toMatchObject({
      status: 422,
      body: { errors: [{ code: "already_exists" }] },
    });
    expect(await ask("PATCH", "/issues/1", { state: "closed" })).toMatchObject({ status: 200, body: { state: "closed" } });
    expect(await ask("GET", "/issues")).toMatchObject({ body: [] });
    expect(await ask("GET", "/issues/2/comments")).toMatchObject({ status: 404 });
  });

  test("refuses pull requests in GitHub's words", async () => {
    git(project.remote, "branch", "same", "main");
    project.git("commit", "--quiet", "--allow-empty", "--message=More");
    project.git("push", "--quiet", "origin", "HEAD:feature");
    const pull = { title: "One", head: "feature", base: "main" };
    expect(await ask("POST", "/pulls", pull)).toMatchObject({ status: 201, body: { number: 1, head: { label: "ada:feature" } } });
    expect(await ask("POST", "/pulls", pull)).toMatchObject({
      status: 422,
      body: { message: "Validation Failed", errors: [{ message: "A pull request already exists for ada:feature." }] },
    });
    expect(await ask("POST", "/pulls", { ...pull, head: "same" })).toMatchObject({
      body: { errors: [{ message: "No commits between main and same" }] },
    });
    expect(await ask("POST", "/pulls", { ...pull, base: "none" })).toMatchObject({
      body: { errors: [{ field: "base", code: "invalid" }] },
    });
    expect(await ask("GET", "/pulls?head=ada:feature&state=open")).toMatchObject({ body: [{ number: 1 }] });
    expect(await ask("GET", "/pulls/7")).toMatchObject({ status: 404 });
  });

  test("wants a token and JSON", async () => {
    expect((await fetch(`${server.url}/repos/ada/engine`)).status).toBe(401);
    const response = await fetch(`${server.url}/repos/ada/engine/issues`, {
      method: "POST",
      headers: { authorization: "token any" },
      body: "{",
    });
    expect([response.status, await response.json()]).toMatchObject([400, { message: "Problems parsing JSON" }]);
    expect((await fetch(`${server.url}/repos/ada/none`, { headers: { authorization: "token any" } })).status).toBe(404);
    expect((await fetch(`${server.url}/ada/engine/pull/1`)).status).toBe(404);
  });
});
