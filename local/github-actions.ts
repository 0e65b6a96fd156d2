import { type ActionsRun, type GitHubRepository, moment, Refusal } from "./github-repository.js";
import type { ForgeAnswer, ForgeRequest, Route } from "./github-route.js";

/** GitHub's routes for runs of Actions. */
export const ACTIONS_ROUTES: readonly [string, RegExp, Route][] = [
  ["GET", /^actions\/runs$/, listRuns],
  [
    "GET",
    /^actions\/runs\/(\d+)$/,
    async (repo, { base }, id) => ({ status: 200, body: await runJson(repo, base, run(repo, id)) }),
  ],
  ["GET", /^actions\/runs\/(\d+)\/jobs$/, (repo, _, id) => ({ status: 200, body: jobsJson(repo, run(repo, id)) })],
  ["GET", /^actions\/jobs\/(\d+)\/logs$/, (repo, _, id) => ({ status: 200, text: job(repo, Number(id)).log })],
];

async function listRuns(repo: GitHubRepository, { query, base }: ForgeRequest): Promise<ForgeAnswer> {
  const [branch, status] = [query.get("branch"), query.get("status")];
  const wanted = repo.runs.filter((run) => (!branch || run.head_branch === branch) && (!status || run.conclusion === status));
  const workflow_runs = await Promise.all(wanted.reverse().map((run) => runJson(repo, base, run)));
  return { status: 200, body: { total_count: workflow_runs.length, workflow_runs } };
}

function run(repo: GitHubRepository, id: string | undefined): ActionsRun {
  const found = repo.runs[Number(id) - 1];
  if (!found) throw new Refusal(404, "Not Found");
  return found;
}

function job(repo: GitHubRepository, id: number): ActionsRun["jobs"][number] {
  const found = repo.runs[Math.floor(id / 100) - 1]?.jobs[(id % 100) - 1];
  if (!found) throw new Refusal(404, "Not Found");
  return found;
}

async function runJson(repo: GitHubRepository, base: string, run: ActionsRun): Promise<object> {
  const id = repo.runs.indexOf(run) + 1;
  return {
    id,
    run_number: id,
    name: run.name,
    event: "push",
    status: "completed",
    conclusion: run.conclusion,
    head_branch: run.head_branch,
    head_sha: await repo.sha(run.head_branch),
    html_url: `${base}/${repo.served.owner}/${repo.served.name}/actions/runs/${id}`,
    created_at: moment(),
    updated_at: moment(),
  };
}

function jobsJson(repo: GitHubRepository, run: ActionsRun): object {
  const id = repo.runs.indexOf(run) + 1;
  const jobs = run.jobs.map(({ name, conclusion }, i) => ({
    id: id * 100 + i + 1,
    run_id: id,
    name,
    status: "completed",
    conclusion,
    html_url: null,
    started_at: moment(),
    completed_at: moment(),
    steps: [],
  }));
  return { total_count: jobs.length, jobs };
}
