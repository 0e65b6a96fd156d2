import { createHash } from "node:crypto";
import type { Octokit } from "octokit";
import { z } from "zod";
import type { Json } from "../../../contract/json.js";
import { stepMark } from "../../git.js";
import { connectGitHub, inOurWords } from "../../github.js";
import { type BuiltInTool, builtInTool } from "../built-in.js";
import type { ToolUse } from "../server.js";

export interface GitHubAccess {
  /** Where GitHub's API is: `https://api.github.com`, or `https://<host>/api/v3`. */
  apiUrl: string;
  token: string | undefined;
}

/** What every tool is told. */
export const Repository = z.strictObject({ owner: z.string().min(1), repo: z.string().min(1) });

/** An issue's, pull request's or run's number; definitions also have it as a text of digits. */
export const Count = z.union([
  z.int().min(1),
  z
    .string()
    .regex(/^[1-9]\d*$/)
    .transform(Number),
]);

/** What a tool works with. */
export interface GitHubWork {
  octokit: Octokit;
  /** Owner and name, as octokit's calls want them. */
  at: { owner: string; repo: string };
  use: ToolUse;
  /** What this call of this step is known by in texts that it writes. */
  mark: string;
}

export interface ToolWords {
  description: string;
  /** What may not be there, besides the repository: `issue of this number`. */
  needs?: string;
  /** A sentence for 422. */
  invalid?: string;
}

/** A tool of GitHub's API: connected for each call, with refusals in our words. */
export function githubTool<Schema extends z.ZodType<z.output<typeof Repository>>>(
  access: GitHubAccess,
  { description, needs, invalid = "GitHub refuses what it was asked for (422)." }: ToolWords,
  input: Schema,
  run: (params: z.output<Schema>, work: GitHubWork) => Promise<Json>,
): BuiltInTool {
  return builtInTool(description, input, (params, use) => {
    const { owner, repo } = params;
    const octokit = connectGitHub({ ...access, signal: use.work.signal }, "A tool of GitHub");
    const words = {
      repository: `${owner}/${repo}`,
      notFound: `There is no ${needs === undefined ? "" : `${needs}, or no `}repository ${owner}/${repo}, or the token cannot see it (404).`,
      invalid,
    };
    return inOurWords(words, () => run(params, { octokit, at: { owner, repo }, use, mark: markOf(use) }));
  });
}

/** A step may call a tool several times: with other params it is another doing. */
function markOf({ call }: ToolUse): string {
  const { tool, params } = call.input;
  const hash = createHash("sha256")
    .update(JSON.stringify([tool, params]))
    .digest("hex");
  return `${stepMark(call)}/${hash.slice(0, 12)}`;
}

/** Whether an earlier try of the step may have done what is asked for. */
export function isAgain({ use }: GitHubWork): boolean {
  return use.work.attempt > 1;
}
