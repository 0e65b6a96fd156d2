import type { JsonObject } from "../contract/json.js";
import type { Project } from "../contract/project.js";
import type { Program } from "../contract/run-spec.js";

/** What a start says that templates name besides the input. */
export interface GivenContext {
  context?: JsonObject | undefined;
  /** Each by its name, and all of them as `variables`. */
  variables?: JsonObject | undefined;
  /** A repository other than the project's. */
  repo?: { owner: string; name: string; default_branch?: string | undefined } | undefined;
}

/** A run's context: what was given, and the repository as `repo`, which is the project's own when none was given. */
export function contextOf({ context, variables, repo }: GivenContext, project: Project, program: Program): JsonObject {
  const ofProject = project.repo ? { ...project.repo } : undefined;
  const isTheirs = repo === undefined || (repo.owner === ofProject?.owner && repo.name === ofProject.name);
  const known: JsonObject = { ...(isTheirs ? ofProject : {}) };
  for (const [name, value] of Object.entries(repo ?? {})) if (value !== undefined) known[name] = value;
  return {
    ...(Object.keys(known).length > 0 && !namesRepoItself(program) ? { repo: known } : {}),
    ...context,
    ...(variables ? { ...variables, variables } : {}),
    ...(repo ? { repo: known } : {}),
  };
}

/** In some dialects a name is looked for in the context first: a step called `repo` must not be hidden. */
function namesRepoItself(program: Program): boolean {
  return program.kind === "plan" && program.plan.steps.some(({ key, assign }) => key === "repo" || assign === "repo");
}
