import { z } from "zod";
import { Id } from "./id.js";
import { ProjectSettings } from "./project-settings.js";
import { Time } from "./time.js";

export const Repo = z.object({ owner: z.string(), name: z.string(), default_branch: z.string() });

/** A repository and its folder. */
export const Project = z.object({
  id: Id,
  name: z.string(),
  path: z.string(),
  repo: Repo.nullable(),
  settings: ProjectSettings,
  created_at: Time,
  updated_at: Time,
});
export type Project = z.infer<typeof Project>;
