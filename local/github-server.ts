import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ActionsRun, GitHubRepository, Refusal, type ServedRepository } from "./github-repository.js";
import type { ForgeRequest } from "./github-route.js";
import { answer } from "./github-routes.js";

export interface GitHubServerOptions {
  repositories: readonly ServedRepository[];
  /** The one token it accepts. @default any */
  token?: string;
}

/** A pull request as it stands. */
export interface ServedPull {
  repository: string;
  number: number;
  title: string;
  body: string | null;
  state: "open" | "closed";
  head: string;
  base: string;
  draft: boolean;
  url: string;
}

export interface GitHubServer {
  /** What `GITHUB_API_URL` is set to. */
  url: string;
  pulls(): ServedPull[];
  /** Refuse the next request, as GitHub does when it has had enough or is not well. */
  refuseNext(status: number, message: string, headers?: Record<string, string>): void;
  /** Let a repository have had a run of GitHub Actions. @returns the run's id */
  addRun(repository: string, run: ActionsRun): number;
  stop(): Promise<void>;
}

const BODY_BYTES = 1024 * 1024;

/**
 * A GitHub of one's own, on loopback: repositories, refs, branches, files, pull requests, issues, labels, comments and
 * runs of Actions, with
 * GitHub's routes, status codes and words of refusal. Refs are those of real bare repositories, all else is in memory.
 * A page shows each pull request at its `html_url`.
 */
export async function startGitHubServer({ repositories, token }: GitHubServerOptions): Promise<GitHubServer> {
  const opened = await Promise.all(repositories.map((repository) => GitHubRepository.open(repository)));
  const refusals: Refusal[] = [];
  const find = (owner?: string, name?: string) =>
    opened.find(
      ({ served }) => served.owner.toLowerCase() === owner?.toLowerCase() && served.name.toLowerCase() === name?.toLowerCase(),
    );
  let url = "";

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => refuse(response, error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", url);
    const parts = pathname
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
    if (parts[0] !== "repos") return page(response, find(parts[0], parts[1]), parts);

    const refusal = refusals.shift();
    if (refusal) throw refusal;
    authorize(request.headers.authorization, token);
    const repository = find(parts[1], parts[2]);
    if (!repository) throw new Refusal(404, "Not Found");
    const body = await readBody(request);
    const accept = request.headers.accept ?? "";
    const forge: ForgeRequest = {
      method: request.method ?? "GET",
      path: parts.slice(3).join("/"),
      query,
      body,
      base: url,
      accept,
    };
    const { status, body: found, text } = await answer(repository, forge);
    if (text === undefined) send(response, status, found);
    else response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
  }

  return {
    url,
    pulls: () =>
      opened.flatMap(({ served, issues }) =>
        issues.flatMap(({ pull, number, title, body, state }) => {
          const repository = `${served.owner}/${served.name}`;
          return pull ? [{ repository, number, title, body, state, ...pull, url: `${url}/${repository}/pull/${number}` }] : [];
        }),
      ),
    refuseNext: (status, message, headers = {}) => void refusals.push(new Refusal(status, message, undefined, headers)),
    addRun(repository, run) {
      const [owner, name] = repository.split("/");
      return find(owner, name)?.runs.push(run) ?? 0;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function authorize(header: string | undefined, token: string | undefined): void {
  const given = /^(?:token|bearer) (.+)$/i.exec(header ?? "")?.[1];
  if (!given) throw new Refusal(401, "Requires authentication");
  if (token !== undefined && given !== token) throw new Refusal(401, "Bad credentials");
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    const data = Buffer.from(piece);
    length += data.length;
    if (length > BODY_BYTES) throw new Refusal(413, "Payload too large");
    pieces.push(data);
  }
  if (length === 0) return {};
  try {
    const body: unknown = JSON.parse(Buffer.concat(pieces).toString("utf8"));
    if (Array.isArray(body)) return { labels: body }; // how labels may be added to an issue
    if (typeof body === "object" && body !== null) return body as Record<string, unknown>;
  } catch {
    throw new Refusal(400, "Problems parsing JSON");
  }
  throw new Refusal(400, "Body should be a JSON object");
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = body === undefined ? "" : JSON.stringify(body);
  response
    .writeHead(status, { "content-type": "application/json; charset=utf-8", "x-github-media-type": "github.v3", ...headers })
    .end(text);
}

function refuse(response: ServerResponse, error: unknown): void {
  const refusal = error instanceof Refusal ? error : new Refusal(500, error instanceof Error ? error.message : String(error));
  const { status, message, errors, headers } = refusal;
  const documentation_url = "https://docs.github.com/rest";
  send(response, status, { message, ...(errors ? { errors } : {}), documentation_url, status: String(status) }, headers);
}

/** What a person sees who follows the link to a pull request. */
function page(response: ServerResponse, repository: GitHubRepository | undefined, parts: readonly string[]): void {
  const issue = parts[2] === "pull" ? repository?.issues[Number(parts[3]) - 1] : undefined;
  if (!issue?.pull) throw new Refusal(404, "Not Found");
  const { head, base } = issue.pull;
  const html = `<!doctype html><meta charset="utf-8"><title>${escaped(issue.title)}</title><h1>${escaped(issue.title)} #${issue.number}</h1>
<p>${escaped(issue.state)}: ${escaped(head)} into ${escaped(base)}</p><pre>${escaped(issue.body ?? "")}</pre>`;
  response
    .writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": "default-src 'none'" })
    .end(html);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
