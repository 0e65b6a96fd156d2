import { join } from "node:path";
import { type GitHubRepository, Refusal } from "./github-repository.js";
import { type ForgeAnswer, type ForgeRequest, type Route, text } from "./github-route.js";

/** GitHub's routes for files and commits, and for what a pull request changes. */
export const CONTENT_ROUTES: readonly [string, RegExp, Route][] = [
  ["GET", /^contents\/(.+)$/, getContents],
  ["PUT", /^contents\/(.+)$/, putContents],
  ["GET", /^pulls\/(\d+)\/files$/, listFiles],
  ["GET", /^git\/commits\/([0-9a-f]{40})$/, getCommit],
  ["POST", /^git\/commits$/, createCommit],
];

/** What the head has changed since it left the base. */
export function diffOf({ git }: GitHubRepository, { head, base }: { head: string; base: string }): Promise<string> {
  return git.run(["diff", "--no-ext-diff", `refs/heads/${base}...refs/heads/${head}`]);
}

async function getContents(repo: GitHubRepository, { query }: ForgeRequest, path = ""): Promise<ForgeAnswer> {
  const branch = query.get("ref") ?? (await repo.defaultBranch());
  const sha = await blobOf(repo, branch, path);
  if (!sha) throw new Refusal(404, "Not Found");
  const content = await repo.git.run(["show", sha]);
  const whole = (await repo.git.run(["cat-file", "-s", sha])) === `${Buffer.byteLength(content)}` ? content : `${content}\n`;
  const encoded = Buffer.from(whole).toString("base64");
  return { status: 200, body: { type: "file", path, sha, size: Buffer.byteLength(whole), encoding: "base64", content: encoded } };
}

async function putContents(repo: GitHubRepository, { body }: ForgeRequest, path = ""): Promise<ForgeAnswer> {
  const { git } = repo;
  const branch = text(body, "branch", "Contents");
  const parent = await repo.sha(branch);
  const there = await blobOf(repo, branch, path);
  if (there && body.sha === undefined) throw new Refusal(422, `Invalid request.\n\n"sha" wasn't supplied.`);
  if (there && body.sha !== there) throw new Refusal(409, `${path} does not match ${body.sha}`);

  const index = join(git.path, `index-${process.pid}-${Date.now()}`);
  const content = Buffer.from(text(body, "content", "Contents"), "base64").toString("utf8");
  const sha = await git.run(["hash-object", "-w", "--stdin"], { input: content });
  await git.run(["read-tree", parent], { index });
  await git.run(["update-index", "--add", "--cacheinfo", `100644,${sha},${path}`], { index });
  const tree = await git.run(["write-tree"], { index });
  const message = text(body, "message", "Contents");
  const commit = await git.run(["commit-tree", tree, "-p", parent, "-m", message]);
  await git.run(["update-ref", `refs/heads/${branch}`, commit, parent]);
  return { status: there ? 200 : 201, body: { content: { path, sha }, commit: { sha: commit, message } } };
}

async function getCommit({ git }: GitHubRepository, _: ForgeRequest, sha = ""): Promise<ForgeAnswer> {
  const tree = await git.ask(["rev-parse", "--verify", "--quiet", `${sha}^{tree}`]);
  if (!tree) throw new Refusal(404, "Not Found");
  return { status: 200, body: { sha, tree: { sha: tree }, message: await git.run(["log", "-1", "--format=%B", sha]) } };
}

async function createCommit({ git }: GitHubRepository, { body }: ForgeRequest): Promise<ForgeAnswer> {
  const [tree, message] = [text(body, "tree", "Commit"), text(body, "message", "Commit")];
  const parents = (Array.isArray(body.parents) ? body.parents : []).map(String);
  const names = [tree, ...parents];
  if (!names.every((name) => /^[0-9a-f]{40}$/.test(name))) throw new Refusal(422, "Invalid request.");
  const sha = await git.ask(["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent]), "-m", message]);
  if (!sha) throw new Refusal(422, "Tree SHA does not exist");
  return { status: 201, body: { sha, tree: { sha: tree }, message } };
}

async function listFiles(repo: GitHubRepository, _: ForgeRequest, number = ""): Promise<ForgeAnswer> {
  const { pull } = repo.issue(number, "pull");
  const range = `refs/heads/${pull?.base}...refs/heads/${pull?.head}`;
  const [numbers, statuses] = await Promise.all(
    ["--numstat", "--name-status"].map((how) => repo.git.run(["diff", "--no-ext-diff", "--no-renames", how, range])),
  );
  const lines = (listing = "") => listing.split("\n").filter((line) => line !== "");
  const names: Record<string, string> = { A: "added", M: "modified", D: "removed" };
  const status = new Map(lines(statuses).map((line) => [line.slice(2), names[line[0] ?? ""]]));
  const files = lines(numbers).map((line) => {
    const [added = "0", removed = "0", filename = ""] = line.split("\t");
    const [additions, deletions] = [Number(added), Number(removed)];
    return { filename, status: status.get(filename), additions, deletions, changes: additions + deletions };
  });
  return { status: 200, body: files };
}

async function blobOf(repo: GitHubRepository, branch: string, path: string): Promise<string | null> {
  return repo.git.ask(["rev-parse", "--verify", "--quiet", "--end-of-options", `${await repo.sha(branch)}:${path}`]);
}
