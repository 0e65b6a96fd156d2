import { builtInServer } from "../built-in.js";
import type { ToolServer } from "../server.js";
import { actionTools } from "./actions.js";
import { contentTools } from "./contents.js";
import { issueTools } from "./issues.js";
import { pullTools } from "./pulls.js";
import type { GitHubAccess } from "./repository.js";

/**
 * GitHub's API as a tool server. What it makes is found again when its step is repeated. Answers have GitHub's own field names;
 * labels and assignees are names alone.
 *
 * Its tools throw `github_…`, as `inOurWords` says.
 */
export function githubServer(access: GitHubAccess): ToolServer {
  return builtInServer("github", {
    ...issueTools(access),
    ...pullTools(access),
    ...contentTools(access),
    ...actionTools(access),
  });
}
