import { type GitHubRepository, moment, Refusal, type Review } from "./github-repository.js";
import { type ForgeAnswer, type ForgeRequest, type Route, text } from "./github-route.js";

/** GitHub's routes for reviews of pull requests. */
export const REVIEW_ROUTES: readonly [string, RegExp, Route][] = [
  ["GET", /^pulls\/(\d+)\/reviews$/, (repo, { base }, number = "") => listed(repo, base, number)],
  ["POST", /^pulls\/(\d+)\/reviews$/, createReview],
];

const STATES = { COMMENT: "COMMENTED", APPROVE: "APPROVED", REQUEST_CHANGES: "CHANGES_REQUESTED" } as const;

function listed(repo: GitHubRepository, base: string, number: string): ForgeAnswer {
  const reviews = repo.issue(number, "pull").pull?.reviews ?? [];
  return { status: 200, body: reviews.map((review) => reviewJson(repo, base, number, review)) };
}

function createReview(repo: GitHubRepository, { body, base }: ForgeRequest, number = ""): ForgeAnswer {
  const { pull } = repo.issue(number, "pull");
  const event = body.event as keyof typeof STATES;
  if (!pull || !STATES[event]) throw new Refusal(422, "Unprocessable Entity");
  const comments = Array.isArray(body.comments) ? (body.comments as Review["comments"]) : [];
  const id = pull.reviews.length + 1;
  const review: Review = { id, body: text(body, "body", "Review"), state: STATES[event], comments, submitted_at: moment() };
  pull.reviews.push(review);
  return { status: 200, body: reviewJson(repo, base, number, review) };
}

function reviewJson({ served }: GitHubRepository, base: string, number: string, { comments: _, ...review }: Review): object {
  return { ...review, html_url: `${base}/${served.owner}/${served.name}/pull/${number}#pullrequestreview-${review.id}` };
}
