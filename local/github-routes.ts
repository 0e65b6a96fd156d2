import { ACTIONS_ROUTES } from "./github-actions.js";
import { CONTENT_ROUTES, diffOf } from "./github-contents.js";
import { type GitHubRepository, type Issue, Refusal } from "./github-repository.js";
import { REVIEW_ROUTES } from "./github-reviews.js";
import { type ForgeAnswer, type ForgeRequest, optionalText, type Route, text } from "./github-route.js";

const ok = (body: unknown): ForgeAnswer => ({ status: 200, body });
const created = (body: unknown): ForgeAnswer => ({ status: 201, body });

/** GitHub's routes for one repository, by method and path. */
const ROUTES: readonly [string, RegExp, Route][] = [
  ["GET", /^$/, async (repo, request) => ok(await repositoryJson(repo, request.base))],
  [
    "GET",
    /^branches\/(.+)$/,
    async (repo, _, name = "") => ok({ name, commit: { sha: await repo.sha(name) }, protected: false }),
  ],
  ["GET", /^git\/ref\/heads\/(.+)$/, async (repo, _, name = "") => ok(refJson(`refs/heads/${name}`, await repo.sha(name)))],
  [
    "GET",
    /^git\/matching-refs\/(.+)$/,
    async (repo, _, prefix = "") => ok((await repo.refs(prefix)).map(({ ref, sha }) => refJson(ref, sha))),
  ],
  ["POST", /^git\/refs$/, createRef],
  ["DELETE", /^git\/refs\/(.+)$/, deleteRef],
  ["GET", /^pulls$/, listPulls],
  ["POST", /^pulls$/, createPull],
  ["GET", /^pulls\/(\d+)$/, getPull],
  [
    "PATCH",
    /^pulls\/(\d+)$/,
    (repo, request, number = "") => {
      const pull = change(repo.issue(number, "pull"), request.body);
      return pullJson(repo, pull, request.base).then(ok);
    },
  ],
  ["GET", /^issues$/, (repo, { query, base }) => ok(withState(repo.issues, query).map((issue) => issueJson(repo, issue, base)))],
  ["POST", /^issues$/, createIssue],
  ["GET", /^issues\/(\d+)$/, (repo, { base }, number = "") => ok(issueJson(repo, repo.issue(number), base))],
  [
    "PATCH",
    /^issues\/(\d+)$/,
    (repo, { body, base }, number = "") => ok(issueJson(repo, change(repo.issue(number), body), base)),
  ],
  [
    "GET",
    /^issues\/(\d+)\/comments$/,
    (repo, { base }, number = "") => ok(repo.issue(number).comments.map((comment) => commentJson(repo, base, number, comment))),
  ],
  [
    "POST",
    /^issues\/(\d+)\/comments$/,
    (repo, { body, base }, number = "") => {
      const comment = repo.comment(repo.issue(number), text(body, "body", "IssueComment"));
      return created(commentJson(repo, base, number, comment));
    },
  ],
  [
    "GET",
    /^issues\/(\d+)\/labels$/,
    (repo, _, number = "") => ok(repo.issue(number).labels.map((name) => labelJson(repo, name))),
  ],
  ["POST", /^issues\/(\d+)\/labels$/, addLabels],
  ["DELETE", /^issues\/(\d+)\/labels\/(.+)$/, removeLabel],
  ["GET", /^labels$/, (repo) => ok([...repo.labels.keys()].map((name) => labelJson(repo, name)))],
  ["POST", /^labels$/, createLabel],
  ...REVIEW_ROUTES,
  ...CONTENT_ROUTES,
  ...ACTIONS_ROUTES,
];

/** @throws {Refusal} what GitHub refuses; 404 for a route it does not have. */
export async function answer(repository: GitHubRepository, request: ForgeRequest): Promise<ForgeAnswer> {
  for (const [method, pattern, route] of ROUTES) {
    const found = method === request.method && pattern.exec(request.path);
    if (found) return route(repository, request, ...found.slice(1));
  }
  throw new Refusal(404, "Not Found");
}

async function createRef(repo: GitHubRepository, { body }: ForgeRequest): Promise<ForgeAnswer> {
  const [ref, sha] = [text(body, "ref", "Reference"), text(body, "sha", "Reference")];
  await repo.createRef(ref, sha);
  return created(refJson(ref, sha));
}

async function deleteRef(repo: GitHubRepository, _: ForgeRequest, ref = ""): Promise<ForgeAnswer> {
  await repo.deleteRef(`refs/${ref}`);
  return { status: 204 };
}

async function listPulls(repo: GitHubRepository, { query, base }: ForgeRequest): Promise<ForgeAnswer> {
  const [head, into] = [query.get("head"), query.get("base")];
  const wanted = withState(repo.issues, query).filter(
    ({ pull }) => pull && (!head || `${repo.served.owner}:${pull.head}` === head) && (!into || pull.base === into),
  );
  return ok(await Promise.all(wanted.map((pull) => pullJson(repo, pull, base))));
}

async function getPull(repo: GitHubRepository, { accept, base }: ForgeRequest, number = ""): Promise<ForgeAnswer> {
  const issue = repo.issue(number, "pull");
  if (issue.pull && accept.includes("diff")) return { status: 200, text: await diffOf(repo, issue.pull) };
  return ok(await pullJson(repo, issue, base));
}

async function createPull(repo: GitHubRepository, { body, base }: ForgeRequest): Promise<ForgeAnswer> {
  const [head, into] = [text(body, "head", "PullRequest"), text(body, "base", "PullRequest")];
  const title = text(body, "title", "PullRequest");
  const pull = await repo.createPull({ title, body: optionalText(body, "body"), head, base: into, draft: body.draft === true });
  return created(await pullJson(repo, pull, base));
}

function createIssue(repo: GitHubRepository, { body, base }: ForgeRequest): ForgeAnswer {
  const issue = repo.add({ title: text(body, "title", "Issue"), body: optionalText(body, "body"), labels: [] });
  repo.addLabels(issue, names(body.labels));
  return created(issueJson(repo, issue, base));
}

function addLabels(repo: GitHubRepository, { body }: ForgeRequest, number = ""): ForgeAnswer {
  const issue = repo.issue(number);
  repo.addLabels(issue, names(body.labels));
  return ok(issue.labels.map((name) => labelJson(repo, name)));
}

function removeLabel(repo: GitHubRepository, _: ForgeRequest, number = "", name = ""): ForgeAnswer {
  const issue = repo.issue(number);
  if (!issue.labels.includes(name)) throw new Refusal(404, "Label does not exist");
  issue.labels = issue.labels.filter((label) => label !== name);
  return ok(issue.labels.map((label) => labelJson(repo, label)));
}

function createLabel(repo: GitHubRepository, { body }: ForgeRequest): ForgeAnswer {
  const name = text(body, "name", "Label");
  repo.createLabel({ name, color: optionalText(body, "color") ?? "ededed", description: optionalText(body, "description") });
  return created(labelJson(repo, name));
}

function change(issue: Issue, { title, body, state }: Record<string, unknown>): Issue {
  if (typeof title === "string") issue.title = title;
  if (typeof body === "string") issue.body = body;
  if (state === "open" || state === "closed") issue.state = state;
  issue.updated_at = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return issue;
}

/** Newest first, open ones unless the query says otherwise. */
function withState(issues: readonly Issue[], query: URLSearchParams): Issue[] {
  const state = query.get("state") ?? "open";
  return issues.filter((issue) => state === "all" || issue.state === state).reverse();
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
}

async function repositoryJson(repo: GitHubRepository, base: string): Promise<object> {
  const { owner, name } = repo.served;
  const page = `${base}/${owner}/${name}`;
  return {
    name,
    full_name: `${owner}/${name}`,
    owner: { login: owner },
    private: false,
    html_url: page,
    default_branch: await repo.defaultBranch(),
  };
}

async function pullJson(repo: GitHubRepository, issue: Issue, base: string): Promise<object> {
  const { owner, name } = repo.served;
  const { head, base: into, draft } = issue.pull ?? { head: "", base: "", draft: false };
  const side = async (branch: string) => ({
    ref: branch,
    label: `${owner}:${branch}`,
    sha: await repo.sha(branch).catch(() => null),
  });
  const { comments, labels: _, pull: __, ...rest } = issue;
  return {
    ...rest,
    draft,
    merged: false,
    comments: comments.length,
    labels: issue.labels.map((label) => labelJson(repo, label)),
    head: await side(head),
    base: await side(into),
    url: `${base}/repos/${owner}/${name}/pulls/${issue.number}`,
    html_url: `${base}/${owner}/${name}/pull/${issue.number}`,
  };
}

function commentJson({ served }: GitHubRepository, base: string, number: string, comment: Issue["comments"][number]): object {
  return { ...comment, html_url: `${base}/${served.owner}/${served.name}/issues/${number}#issuecomment-${comment.id}` };
}

function issueJson(repo: GitHubRepository, issue: Issue, base: string): object {
  const { owner, name } = repo.served;
  const { comments, pull, ...rest } = issue;
  return {
    ...rest,
    comments: comments.length,
    labels: issue.labels.map((label) => labelJson(repo, label)),
    html_url: `${base}/${owner}/${name}/${pull ? "pull" : "issues"}/${issue.number}`,
    ...(pull ? { pull_request: { url: `${base}/repos/${owner}/${name}/pulls/${issue.number}` } } : {}),
  };
}

function refJson(ref: string, sha: string): object {
  return { ref, object: { sha, type: "commit" } };
}

function labelJson(repo: GitHubRepository, name: string): object {
  return repo.labels.get(name.toLowerCase()) ?? { name, color: "ededed", description: null };
}
