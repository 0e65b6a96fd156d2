import { type Octokit, RequestError } from "octokit";
import { hiddenMark, withMark, wordsOf } from "./github.js";

/** Of what GitHub tells of a pull request, in lists as by itself. */
export interface PullData {
  number: number;
  title: string;
  body: string | null;
  state: string;
  draft?: boolean | undefined;
  html_url: string;
  user: { login: string } | null;
  head: { ref: string; sha: string };
  base: { ref: string; sha: string };
  labels: readonly { name: string }[];
  created_at: string;
  updated_at: string;
}

export interface PullWish {
  owner: string;
  repo: string;
  /** A branch of the repository. */
  head: string;
  /** @default the repository's default branch */
  base?: string | null | undefined;
  title: string;
  body: string;
  draft: boolean;
}

/**
 * Open a pull request, or find the one that is there: the one with this mark in its text, closed or not, else an open one of the
 * same branch into the same base.
 *
 * @param mark what the step is known by: `<run id>/<step number>`.
 * @param checkBase called with the base before anything is opened.
 * @throws {RequestError} as GitHub refuses.
 */
export async function openPull(
  octokit: Octokit,
  wish: PullWish,
  mark: string,
  checkBase: (base: string) => Promise<unknown> = async () => {},
): Promise<{ pull: PullData; created: boolean }> {
  const { owner, repo, head, title, draft } = wish;
  const known = await octokit.rest.pulls.list({ owner, repo, head: `${owner}:${head}`, state: "all", per_page: 100 });
  const mine = known.data.find((pull) => pull.body?.includes(hiddenMark(mark)));
  if (mine) return { pull: mine, created: false };

  const base = wish.base ?? (await octokit.rest.repos.get({ owner, repo })).data.default_branch;
  await checkBase(base);
  const other = known.data.find((pull) => pull.state === "open" && pull.base.ref === base);
  if (other) return { pull: other, created: false };
  try {
    const { data } = await octokit.rest.pulls.create({ owner, repo, head, base, title, body: withMark(wish.body, mark), draft });
    return { pull: data, created: true };
  } catch (error) {
    if (!(error instanceof RequestError) || error.status !== 422 || !/already exists/i.test(wordsOf(error))) throw error;
    const again = await octokit.rest.pulls.list({ owner, repo, head: `${owner}:${head}`, base, state: "open" });
    const [pull] = again.data;
    if (!pull) throw error;
    return { pull, created: false };
  }
}
