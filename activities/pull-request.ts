import { Octokit, RequestError } from "octokit";
import { StepFailure } from "./failure.js";
import type { Git } from "./git-client.js";
import { checkBranchName, currentBranch } from "./git-refs.js";
import { isLocalHost, parseRemote, parseRepository, repositoryOf, withoutPassword } from "./remote.js";

export interface PullRequestInput {
  title: string;
  body?: string | undefined;
  /** @default the branch the run began from, else the repository's default branch */
  base?: string | undefined;
  /** @default false */
  draft?: boolean | undefined;
}

export interface Forge {
  /** Where GitHub's API is: `https://api.github.com`, or `https://<host>/api/v3`. */
  apiUrl: string;
  token: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface PullRequest {
  url: string;
  number: number;
  created: boolean;
}

/**
 * Open a pull request for the branch that is checked out, or find the one that is there: the one this step has opened before
 * (by a mark in its text, closed or not), else an open one of the same branch into the same base.
 *
 * The repository is the one `git config longhaul.repository` (`owner/name`) says, else the one `origin` points to.
 *
 * @param mark what this step is known by: `<run id>/<step number>`.
 * @param from the branch the run began from.
 * @throws {StepFailure} `no_branch`; `no_forge` when the remote is not GitHub's; `github_token_missing`; `github_unauthorized` (401),
 *   `github_forbidden` (403), `github_not_found` (404), `github_invalid` (422), each with GitHub's words;
 *   `github_rate_limited`, its output `{ retry_after_ms }`, and `github_unavailable`, which are worth another try.
 */
export async function createPullRequest(
  git: Git,
  input: PullRequestInput,
  forge: Forge,
  { mark, from }: { mark: string; from?: string | null | undefined },
): Promise<PullRequest> {
  const { title, body = "", draft = false } = input;
  if (title.trim() === "") throw new StepFailure("invalid_input", "A pull request needs a title.");
  const head = await currentBranch(git);
  if (head === null)
    throw new StepFailure("no_branch", "No branch is checked out, and a pull request needs one that was pushed.");
  const { owner, name: repo } = await repository(git, forge.apiUrl);
  const octokit = connect(forge);
  const marker = `<!-- longhaul-step: ${mark} -->`;

  return named(`${owner}/${repo}`, async () => {
    const known = await octokit.rest.pulls.list({ owner, repo, head: `${owner}:${head}`, state: "all", per_page: 100 });
    const mine = known.data.find((pull) => pull.body?.includes(marker));
    if (mine) return { url: mine.html_url, number: mine.number, created: false };

    const base = input.base ?? from ?? (await octokit.rest.repos.get({ owner, repo })).data.default_branch;
    await checkBranchName(git, base);
    const open = () => known.data.find((pull) => pull.state === "open" && pull.base.ref === base);
    const other = open();
    if (other) return { url: other.html_url, number: other.number, created: false };
    try {
      const text = `${body.trimEnd()}${body.trim() === "" ? "" : "\n\n"}${marker}\n`;
      const { data } = await octokit.rest.pulls.create({ owner, repo, head, base, title, body: text, draft });
      return { url: data.html_url, number: data.number, created: true };
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 422 || !/already exists/i.test(wordsOf(error))) throw error;
      const again = await octokit.rest.pulls.list({ owner, repo, head: `${owner}:${head}`, base, state: "open" });
      const [pull] = again.data;
      if (!pull) throw error;
      return { url: pull.html_url, number: pull.number, created: false };
    }
  });
}

/** @throws {StepFailure} `no_forge`. */
async function repository(git: Git, apiUrl: string): Promise<{ owner: string; name: string }> {
  const hint = 'Say which one it is: git config longhaul.repository "owner/name".';
  const configured = await git.ask(["config", "--get", "longhaul.repository"]);
  if (configured) {
    const named = parseRepository(configured);
    if (!named)
      throw new StepFailure("no_forge", `longhaul.repository is ${JSON.stringify(configured)}, which is not owner/name.`);
    return named;
  }
  const url = await git.ask(["remote", "get-url", "origin"]);
  if (!url)
    throw new StepFailure("no_forge", `The project has no remote "origin", so its GitHub repository is not known. ${hint}`);
  const remote = parseRemote(url);
  const found = repositoryOf(remote);
  if (!found || remote.kind === "local" || !sameForge(remote.host, apiUrl)) {
    throw new StepFailure(
      "no_forge",
      `The remote "origin" (${withoutPassword(url)}) is no repository on ${forgeHost(apiUrl)}. ${hint}`,
    );
  }
  return found;
}

function forgeHost(apiUrl: string): string {
  const { hostname } = new URL(apiUrl);
  return hostname === "api.github.com" ? "github.com" : hostname;
}

function sameForge(host: string, apiUrl: string): boolean {
  const forge = forgeHost(apiUrl);
  return host === forge || (forge === "github.com" && host === "ssh.github.com") || (isLocalHost(forge) && isLocalHost(host));
}

/** Without octokit's own retries: the step's policy decides, and its waits survive a restart. */
function connect({ apiUrl, token, signal }: Forge): Octokit {
  if (!token) {
    const why = "A pull request needs a token for GitHub, and there is none.";
    throw new StepFailure("github_token_missing", `${why} Start Longhaul with GITHUB_TOKEN set.`);
  }
  const silent = () => {};
  return new Octokit({
    auth: token,
    baseUrl: apiUrl.replace(/\/$/, ""),
    userAgent: "longhaul",
    retry: { enabled: false },
    throttle: { enabled: false },
    log: { debug: silent, info: silent, warn: silent, error: silent },
    request: { ...(signal ? { signal } : {}) },
  });
}

/** GitHub's refusals in our words, with its own behind them. */
async function named<T>(repository: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const says = `GitHub says: ${wordsOf(error)}`;
    const fail = (type: string, message: string, output?: unknown) =>
      new StepFailure(type, `${message} ${says}`, output, { cause: error });
    const wait = rateLimit(error);
    if (wait !== null)
      throw fail("github_rate_limited", "Too many requests to GitHub in a short time.", { retry_after_ms: wait });
    switch (error.status) {
      case 401:
        throw fail("github_unauthorized", "GitHub does not accept the token (401): it is wrong or has expired.");
      case 403:
        throw fail("github_forbidden", `The token may not do this in ${repository} (403).`);
      case 404:
        throw fail("github_not_found", `There is no repository ${repository}, or the token cannot see it (404).`);
      case 422:
        throw fail("github_invalid", `GitHub refuses the pull request (422). Is the branch pushed?`);
    }
    if (error.status >= 500) throw fail("github_unavailable", `GitHub does not answer as it should (${error.status}).`);
    throw fail("github_failed", `GitHub refuses the request (${error.status}).`);
  }
}

/** Milliseconds to wait, of the primary or the secondary limit; null when this is something else. */
function rateLimit({ status, response, message }: RequestError): number | null {
  if (status !== 403 && status !== 429) return null;
  const headers = response?.headers ?? {};
  if (headers["retry-after"]) return Number(headers["retry-after"]) * 1000;
  if (headers["x-ratelimit-remaining"] === "0") {
    return Math.max(0, Number(headers["x-ratelimit-reset"]) * 1000 - Date.now());
  }
  return status === 429 || /secondary rate limit|abuse detection/i.test(message) ? 60_000 : null;
}

/** `Validation Failed: A pull request already exists for ada:feature.` */
function wordsOf({ response, message }: RequestError): string {
  const data: unknown = response?.data;
  if (typeof data !== "object" || data === null) return message;
  const errors = "errors" in data && Array.isArray(data.errors) ? data.errors : [];
  const details = errors.map((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return String(entry);
    if ("message" in entry) return String(entry.message);
    return "field" in entry && "code" in entry ? `${entry.field} is ${entry.code}` : JSON.stringify(entry);
  });
  const main = "message" in data ? String(data.message) : message;
  return details.length > 0 ? `${main}: ${details.join("; ")}` : main;
}
