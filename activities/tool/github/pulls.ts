import { z } from "zod";
import type { Json } from "../../../contract/json.js";
import { hiddenMark, withMark } from "../../github.js";
import { openPull, type PullData } from "../../open-pull.js";
import { cutAt } from "../../output-window.js";
import type { BuiltInTool } from "../built-in.js";
import { Count, type GitHubAccess, githubTool, isAgain, Repository } from "./repository.js";

const Numbered = Repository.extend({ number: Count });
const needs = "pull request of this number";
/** A step's output of more than 64 KB would become an artifact, which nobody can put into a prompt. */
const MaxChars = z.int().min(1).max(60_000).default(40_000);

/** Tools of pull requests. */
export function pullTools(access: GitHubAccess): Record<string, BuiltInTool> {
  return {
    createPullRequest: githubTool(
      access,
      {
        description: "Open a pull request, or find the one there is: this step's own, or an open one of the same branches.",
        invalid: "GitHub refuses the pull request (422). Is the branch pushed?",
      },
      Repository.extend({
        title: z.string().min(1),
        body: z.string().default(""),
        head: z.string().min(1),
        base: z.string().min(1).optional(),
        draft: z.boolean().default(false),
        labels: z.array(z.string().min(1)).default([]),
      }),
      async ({ title, body, head, base, draft, labels }, { octokit, at, mark }) => {
        const { pull, created } = await openPull(octokit, { ...at, head, base, title, body, draft }, mark);
        const all =
          labels.length === 0 ? [] : (await octokit.rest.issues.addLabels({ ...at, issue_number: pull.number, labels })).data;
        return { ...pullJson({ ...pull, labels: labels.length === 0 ? pull.labels : all }), created };
      },
    ),

    getPullRequest: githubTool(
      access,
      { description: "A pull request.", needs },
      Numbered,
      async ({ number }, { octokit, at }) => {
        const { data } = await octokit.rest.pulls.get({ ...at, pull_number: number });
        return { ...pullJson(data), merged: data.merged, mergeable: data.mergeable };
      },
    ),

    getPullRequestDiff: githubTool(
      access,
      { description: "What a pull request changes, as a unified diff: { diff, truncated }.", needs },
      Numbered.extend({ maxChars: MaxChars }),
      async ({ number, maxChars }, { octokit, at }) => {
        const { data } = await octokit.rest.pulls.get({ ...at, pull_number: number, mediaType: { format: "diff" } });
        const diff = String(data); // by its media type a text, whatever its declared type
        return { diff: diff.slice(0, cutAt(diff, Math.min(diff.length, maxChars))), truncated: diff.length > maxChars };
      },
    ),

    listPullRequestFiles: githubTool(
      access,
      { description: "The files that a pull request changes, without their texts.", needs },
      Numbered,
      async ({ number }, { octokit, at }) => {
        const files = await octokit.paginate(octokit.rest.pulls.listFiles, { ...at, pull_number: number, per_page: 100 });
        return files.map(({ filename, status, additions, deletions, changes }) => ({
          filename,
          status,
          additions,
          deletions,
          changes,
        }));
      },
    ),

    createReview: githubTool(
      access,
      {
        description: "Review a pull request. Found again when the step is repeated.",
        needs,
        invalid:
          "GitHub refuses the review (422): nobody may approve what is their own, and comments must lie on lines of the diff.",
      },
      Numbered.extend({
        body: z.string().default(""),
        event: z.enum(["COMMENT", "APPROVE", "REQUEST_CHANGES"]).default("COMMENT"),
        comments: z
          .array(
            z.strictObject({
              path: z.string().min(1),
              line: z.int().min(1),
              side: z.enum(["LEFT", "RIGHT"]).optional(),
              body: z.string().min(1),
            }),
          )
          .default([]),
      }),
      async ({ number, body, event, comments }, work) => {
        const { octokit, at, mark } = work;
        const pull = { ...at, pull_number: number };
        if (isAgain(work)) {
          const all = await octokit.paginate(octokit.rest.pulls.listReviews, { ...pull, per_page: 100 });
          const mine = all.find((review) => review.body.includes(hiddenMark(mark)));
          if (mine) return { id: mine.id, state: mine.state, html_url: mine.html_url, created: false };
        }
        const lines = comments.map(({ side = "RIGHT", ...comment }) => ({ side, ...comment }));
        const { data } = await octokit.rest.pulls.createReview({ ...pull, body: withMark(body, mark), event, comments: lines });
        return { id: data.id, state: data.state, html_url: data.html_url, created: true };
      },
    ),
  };
}

function pullJson(pull: PullData): { [field: string]: Json } {
  const { number, title, body, state, draft, html_url, user, head, base, labels, created_at, updated_at } = pull;
  return {
    number,
    title,
    body: body ?? "",
    state,
    draft: draft ?? false,
    html_url,
    user: { login: user?.login ?? null },
    head: { ref: head.ref, sha: head.sha },
    base: { ref: base.ref, sha: base.sha },
    labels: labels.map(({ name }) => name),
    created_at,
    updated_at,
  };
}
