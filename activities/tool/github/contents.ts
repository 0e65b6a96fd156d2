import { type Octokit, RequestError } from "octokit";
import { z } from "zod";
import { StepFailure } from "../../failure.js";
import { wordsOf } from "../../github.js";
import type { BuiltInTool } from "../built-in.js";
import { type GitHubAccess, githubTool, Repository } from "./repository.js";

type At = { owner: string; repo: string };

/** Tools of branches and files. */
export function contentTools(access: GitHubAccess): Record<string, BuiltInTool> {
  return {
    createBranch: githubTool(
      access,
      {
        description:
          "Make a branch, or find the one of that name. With `commit` it begins with an empty commit of that message, so that a pull request can be opened for it at once.",
        needs: "branch to make it from",
        invalid: "GitHub refuses the branch (422).",
      },
      Repository.extend({
        branch: z.string().min(1),
        from: z.string().min(1).optional(),
        commit: z.string().min(1).optional(),
      }),
      async ({ branch, from, commit }, { octokit, at }) => {
        const base = from ?? (await octokit.rest.repos.get(at)).data.default_branch;
        const { data } = await octokit.rest.git.getRef({ ...at, ref: `heads/${base}` });
        const sha = commit === undefined ? data.object.sha : await emptyCommit(octokit, at, data.object.sha, commit);
        try {
          await octokit.rest.git.createRef({ ...at, ref: `refs/heads/${branch}`, sha });
          return { branch, ref: `refs/heads/${branch}`, sha, created: true };
        } catch (error) {
          if (!(error instanceof RequestError) || !/already exists/i.test(wordsOf(error))) throw error;
          const there = await octokit.rest.git.getRef({ ...at, ref: `heads/${branch}` });
          return { branch, ref: `refs/heads/${branch}`, sha: there.data.object.sha, created: false };
        }
      },
    ),

    getFile: githubTool(
      access,
      { description: "A file's text: { path, content, sha, size }.", needs: "such file on this branch" },
      Repository.extend({ path: z.string().min(1), ref: z.string().min(1).optional() }),
      async ({ path, ref }, { octokit, at }) => readFile(octokit, at, path, ref),
    ),

    updateFile: githubTool(
      access,
      {
        description:
          "Write a file by a commit on a branch, unless it has this text already. With `sha` only if it is still that one.",
        needs: "such branch",
        invalid: "GitHub refuses the file (422).",
      },
      Repository.extend({
        path: z.string().min(1),
        content: z.string(),
        message: z.string().min(1),
        branch: z.string().min(1),
        sha: z.string().optional(),
      }),
      async ({ path, content, message, branch, sha }, { octokit, at }) => {
        const there = await readFile(octokit, at, path, branch).catch((error: unknown) => {
          if (error instanceof RequestError && error.status === 404) return null;
          throw error;
        });
        if (there?.content === content) return { path, branch, sha: there.sha, commit: null, changed: false };
        const known = sha ?? there?.sha;
        const { data } = await octokit.rest.repos.createOrUpdateFileContents({
          ...at,
          path,
          message,
          branch,
          content: Buffer.from(content).toString("base64"),
          ...(known === undefined ? {} : { sha: known }),
        });
        return { path, branch, sha: data.content?.sha ?? null, commit: data.commit.sha ?? null, changed: true };
      },
    ),
  };
}

/** A commit that changes nothing, on no branch yet. */
async function emptyCommit(octokit: Octokit, at: At, parent: string, message: string): Promise<string> {
  const { data: before } = await octokit.rest.git.getCommit({ ...at, commit_sha: parent });
  const { data } = await octokit.rest.git.createCommit({ ...at, message, tree: before.tree.sha, parents: [parent] });
  return data.sha;
}

async function readFile(
  octokit: Octokit,
  at: At,
  path: string,
  ref: string | undefined,
): Promise<{ path: string; content: string; sha: string; size: number }> {
  const { data } = await octokit.rest.repos.getContent({ ...at, path, ...(ref === undefined ? {} : { ref }) });
  if (Array.isArray(data) || data.type !== "file") throw new StepFailure("github_failed", `${path} is no file.`);
  if (data.encoding !== "base64") throw new StepFailure("github_failed", `${path} is too large to be read this way.`);
  return { path, content: Buffer.from(data.content, "base64").toString("utf8"), sha: data.sha, size: data.size };
}
