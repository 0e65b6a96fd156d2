import { z } from "zod";
import type { Json } from "../../../contract/json.js";
import type { BuiltInTool } from "../built-in.js";
import { Count, type GitHubAccess, githubTool, Repository } from "./repository.js";

/** Tools of GitHub Actions. */
export function actionTools(access: GitHubAccess): Record<string, BuiltInTool> {
  return {
    listWorkflowRuns: githubTool(
      access,
      { description: "The newest runs of GitHub Actions." },
      Repository.extend({
        branch: z.string().min(1).optional(),
        status: z.enum(["queued", "in_progress", "completed", "success", "failure", "cancelled"]).optional(),
        limit: z.int().min(1).max(100).default(20),
      }),
      async ({ branch, status, limit }, { octokit, at }) => {
        const filter = { ...(branch === undefined ? {} : { branch }), ...(status === undefined ? {} : { status }) };
        const { data } = await octokit.rest.actions.listWorkflowRunsForRepo({ ...at, ...filter, per_page: limit });
        return data.workflow_runs.map(runJson);
      },
    ),

    getWorkflowRun: githubTool(
      access,
      { description: "A run of GitHub Actions.", needs: "run of this id" },
      Repository.extend({ runId: Count }),
      async ({ runId }, { octokit, at }) => runJson((await octokit.rest.actions.getWorkflowRun({ ...at, run_id: runId })).data),
    ),

    listWorkflowJobs: githubTool(
      access,
      {
        description: "The jobs of a run of GitHub Actions; with `filter` failed those that failed.",
        needs: "run of this id",
      },
      Repository.extend({ runId: Count, filter: z.enum(["latest", "all", "failed"]).default("latest") }),
      async ({ runId, filter }, { octokit, at }) => {
        const jobs = await octokit.paginate(octokit.rest.actions.listJobsForWorkflowRun, {
          ...at,
          run_id: runId,
          filter: filter === "all" ? "all" : "latest",
          per_page: 100,
        });
        return jobs
          .filter(({ conclusion }) => filter !== "failed" || conclusion === "failure" || conclusion === "timed_out")
          .map(({ id, name, status, conclusion, html_url, started_at, completed_at, steps }) => ({
            id,
            name,
            status,
            conclusion,
            html_url,
            started_at,
            completed_at,
            steps: (steps ?? []).map((step) => ({ number: step.number, name: step.name, conclusion: step.conclusion })),
          }));
      },
    ),

    getJobLogs: githubTool(
      access,
      {
        description: "The end of a job's log: { logs, truncated }.",
        needs: "log of a job of this id",
      },
      Repository.extend({ jobId: Count, maxChars: z.int().min(1).max(60_000).default(40_000) }),
      async ({ jobId, maxChars }, { octokit, at }) => {
        const { data } = await octokit.rest.actions.downloadJobLogsForWorkflowRun({ ...at, job_id: jobId });
        const logs = data instanceof ArrayBuffer ? Buffer.from(data).toString("utf8") : String(data);
        return { logs: logs.slice(-maxChars).replace(/^[\uDC00-\uDFFF]/, ""), truncated: logs.length > maxChars };
      },
    ),
  };
}

interface RunData {
  id: number;
  name?: string | null | undefined;
  status: string | null;
  conclusion: string | null;
  event: string;
  head_branch: string | null;
  head_sha: string;
  html_url: string;
  run_number: number;
  created_at: string;
  updated_at: string;
}

function runJson(run: RunData): { [field: string]: Json } {
  const { id, name, status, conclusion, event, head_branch, head_sha, html_url, run_number, created_at, updated_at } = run;
  return {
    id,
    name: name ?? null,
    status,
    conclusion,
    event,
    head_branch,
    head_sha,
    html_url,
    run_number,
    created_at,
    updated_at,
  };
}
