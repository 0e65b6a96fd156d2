import { Octokit, RequestError } from "octokit";
import { StepFailure } from "./failure.js";

export interface Forge {
  /** Where GitHub's API is: `https://api.github.com`, or `https://<host>/api/v3`. */
  apiUrl: string;
  token: string | undefined;
  signal?: AbortSignal | undefined;
}

/** What a refusal means for what was asked. */
export interface RefusalWords {
  /** What it is about: `owner/name`. */
  repository: string;
  /** A sentence for 404. */
  notFound: string;
  /** A sentence for 422. */
  invalid: string;
}

/**
 * GitHub without octokit's own retries: the step's policy decides, and its waits survive a restart.
 *
 * @param what what needs the token: `A pull request`.
 * @throws {StepFailure} `github_token_missing`.
 */
export function connectGitHub({ apiUrl, token, signal }: Forge, what: string): Octokit {
  if (!token) {
    const why = `${what} needs a token for GitHub, and there is none.`;
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

/**
 * GitHub's refusals in our words, with its own behind them.
 *
 * @throws {StepFailure} `github_unauthorized` (401), `github_forbidden` (403), `github_not_found` (404), `github_conflict` (409),
 *   `github_invalid` (422), `github_rate_limited`, its output `{ retry_after_ms }`, `github_unavailable` (500 and above, and no
 *   answer at all), `github_failed`.
 */
export async function inOurWords<T>({ repository, notFound, invalid }: RefusalWords, work: () => Promise<T>): Promise<T> {
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
        throw fail("github_not_found", notFound);
      case 409:
        throw fail("github_conflict", `Somebody has changed this in ${repository} meanwhile (409).`);
      case 422:
        throw fail("github_invalid", invalid);
    }
    if (error.status >= 500) throw fail("github_unavailable", `GitHub does not answer as it should (${error.status}).`);
    throw fail("github_failed", `GitHub refuses the request (${error.status}).`);
  }
}

/** A mark that GitHub's pages do not show, by which a step finds what it has made. @param mark `<run id>/<step number>` */
export function hiddenMark(mark: string): string {
  return `<!-- longhaul-step: ${mark} -->`;
}

/** A text with the mark behind it. */
export function withMark(text: string, mark: string): string {
  return `${text.trimEnd()}${text.trim() === "" ? "" : "\n\n"}${hiddenMark(mark)}\n`;
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
export function wordsOf({ response, message }: RequestError): string {
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
