import { StepFailure } from "./failure.js";
import type { Git } from "./git-client.js";
import { checkBranchName, currentBranch } from "./git-refs.js";
import { connectGitHub, type Forge, inOurWords } from "./github.js";
import { openPull } from "./open-pull.js";
import { isLocalHost, parseRemote, parseRepository, repositoryOf, withoutPassword } from "./remote.js";

export interface PullRequestInput {
  title: string;
  body?: string | undefined;
  /** @default the branch the run began from, else the repository's default branch */
  base?: string | undefined;
  /** @default false */
  draft?: boolean | undefined;
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
  const octokit = connectGitHub(forge, "A pull request");
  const words = {
    repository: `${owner}/${repo}`,
    notFound: `There is no repository ${owner}/${repo}, or the token cannot see it (404).`,
    invalid: "GitHub refuses the pull request (422). Is the branch pushed?",
  };
  return inOurWords(words, async () => {
    const wish = { owner, repo, head, base: input.base ?? from, title, body, draft };
    const { pull, created } = await openPull(octokit, wish, mark, (base) => checkBranchName(git, base));
    return { url: pull.html_url, number: pull.number, created };
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
