import { RequestError } from "octokit";
import { z } from "zod";
import type { Json } from "../../../contract/json.js";
import { hiddenMark, withMark } from "../../github.js";
import type { BuiltInTool } from "../built-in.js";
import { Count, type GitHubAccess, githubTool, isAgain, Repository } from "./repository.js";

const Numbered = Repository.extend({ number: Count });
const names = z.array(z.string().min(1));
const needs = "issue or pull request of this number";

/** Tools of issues; comments and labels are those of pull requests, too. */
export function issueTools(access: GitHubAccess): Record<string, BuiltInTool> {
  return {
    getIssue: githubTool(access, { description: "An issue.", needs }, Numbered, async ({ number }, { octokit, at }) => {
      return issueJson((await octokit.rest.issues.get({ ...at, issue_number: number })).data);
    }),

    createIssue: githubTool(
      access,
      { description: "Open an issue. Found again when the step is repeated." },
      Repository.extend({
        title: z.string().min(1),
        body: z.string().default(""),
        labels: names.default([]),
        assignees: names.default([]),
      }),
      async ({ title, body, labels, assignees }, work) => {
        const { octokit, at, mark } = work;
        if (isAgain(work)) {
          const newest = await octokit.rest.issues.listForRepo({ ...at, state: "all", sort: "created", per_page: 100 });
          const mine = newest.data.find((issue) => issue.body?.includes(hiddenMark(mark)));
          if (mine) return { ...issueJson(mine), created: false };
        }
        const { data } = await octokit.rest.issues.create({ ...at, title, body: withMark(body, mark), labels, assignees });
        return { ...issueJson(data), created: true };
      },
    ),

    updateIssue: githubTool(
      access,
      { description: "Change an issue or pull request: what is left out stays.", needs },
      Numbered.extend({
        title: z.string().min(1).optional(),
        body: z.string().optional(),
        state: z.enum(["open", "closed"]).optional(),
        labels: names.optional(),
        assignees: names.optional(),
      }),
      async ({ number, owner: _, repo: __, ...change }, { octokit, at }) => {
        const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
        return issueJson((await octokit.rest.issues.update({ ...at, issue_number: number, ...given })).data);
      },
    ),

    createComment: githubTool(
      access,
      { description: "Comment on an issue or pull request. Found again when the step is repeated.", needs },
      Numbered.extend({ body: z.string().min(1) }),
      async ({ number, body }, work) => {
        const { octokit, at, mark } = work;
        const issue = { ...at, issue_number: number };
        if (isAgain(work)) {
          const all = await octokit.paginate(octokit.rest.issues.listComments, { ...issue, per_page: 100 });
          const mine = all.find((comment) => comment.body?.includes(hiddenMark(mark)));
          if (mine) return { id: mine.id, html_url: mine.html_url, created: false };
        }
        const { data } = await octokit.rest.issues.createComment({ ...issue, body: withMark(body, mark) });
        return { id: data.id, html_url: data.html_url, created: true };
      },
    ),

    addLabels: githubTool(
      access,
      { description: "Add labels to an issue or pull request; gives all it has then.", needs },
      Numbered.extend({ labels: names }),
      async ({ number, labels }, { octokit, at }) => {
        const issue = { ...at, issue_number: number };
        const { data } =
          labels.length === 0
            ? await octokit.rest.issues.listLabelsOnIssue(issue)
            : await octokit.rest.issues.addLabels({ ...issue, labels });
        return { labels: data.map(({ name }) => name) };
      },
    ),

    removeLabel: githubTool(
      access,
      { description: "Take a label from an issue or pull request, if it has it.", needs },
      Numbered.extend({ label: z.string().min(1) }),
      async ({ number, label }, { octokit, at }) => {
        const issue = { ...at, issue_number: number };
        try {
          const { data } = await octokit.rest.issues.removeLabel({ ...issue, name: label });
          return { labels: data.map(({ name }) => name), removed: true };
        } catch (error) {
          if (!(error instanceof RequestError) || error.status !== 404) throw error;
          const { data } = await octokit.rest.issues.listLabelsOnIssue(issue); // 404 as well when there is no such issue
          return { labels: data.map(({ name }) => name), removed: false };
        }
      },
    ),
  };
}

interface IssueData {
  number: number;
  title: string;
  body?: string | null | undefined;
  state: string;
  html_url: string;
  user: { login: string } | null;
  labels: readonly (string | { name?: string | undefined })[];
  assignees?: readonly { login: string }[] | null | undefined;
  comments: number;
  created_at: string;
  updated_at: string;
}

function issueJson(issue: IssueData): { [field: string]: Json } {
  const { number, title, body, state, html_url, user, labels, assignees, comments, created_at, updated_at } = issue;
  return {
    number,
    title,
    body: body ?? "",
    state,
    html_url,
    user: { login: user?.login ?? null },
    labels: labels.map((label) => (typeof label === "string" ? label : (label.name ?? ""))),
    assignees: (assignees ?? []).map(({ login }) => login),
    comments,
    created_at,
    updated_at,
  };
}
