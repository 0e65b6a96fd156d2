import { type GitHubRepository, Refusal } from "./github-repository.js";

export interface ForgeRequest {
  method: string;
  /** What follows `/repos/<owner>/<name>/`. */
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
  /** The media type that is asked for. */
  accept: string;
  /** The server's address. */
  base: string;
}

export interface ForgeAnswer {
  status: number;
  body?: unknown;
  /** Instead of a body that is JSON. */
  text?: string;
}

export type Route = (
  repository: GitHubRepository,
  request: ForgeRequest,
  ...parts: string[]
) => Promise<ForgeAnswer> | ForgeAnswer;

/** @throws {Refusal} 422. */
export function text(body: Record<string, unknown>, field: string, resource: string): string {
  const value = body[field];
  if (value === undefined) throw new Refusal(422, "Validation Failed", [{ resource, field, code: "missing_field" }]);
  if (typeof value !== "string" || value.trim() === "") {
    throw new Refusal(422, "Validation Failed", [{ resource, field, code: "invalid" }]);
  }
  return value;
}

/** Null when it is none. */
export function optionalText(body: Record<string, unknown>, field: string): string | null {
  const value = body[field];
  return typeof value === "string" ? value : null;
}
