import { z } from "zod";
import { Budget } from "./budget.js";
import { isOurs } from "./environment.js";

const VariableName = z
  .string()
  .max(200)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is no name of an environment variable")
  .refine((name) => !isOurs(name), "is Longhaul's own and given to no step: make it a secret of the project");

/** What a person has said of a project, over the API alone: nothing of it is read from the repository. */
export const ProjectSettings = z.object({
  /** Steps may give their agents the permission `bypassPermissions`. */
  allow_bypass: z.boolean(),
  /** The agent of steps that name none, nor a role whose file names one. Null: Longhaul's own default. */
  default_provider: z.string().min(1).max(200).nullable(),
  /** Agents read the instructions and settings that the repository has for them, and run its hooks. */
  trust_repository: z.boolean(),
  /** Variables of Longhaul's own environment that commands and agents get besides those that all get. */
  env_allow: z.array(VariableName).max(100),
  /** What agents of all its runs may spend in a day (UTC). Null: no limit. */
  budget_per_day: Budget.nullable(),
});
export type ProjectSettings = z.infer<typeof ProjectSettings>;

export const DEFAULT_SETTINGS: ProjectSettings = {
  allow_bypass: false,
  default_provider: null,
  trust_repository: false,
  env_allow: [],
  budget_per_day: null,
};

/** Some of them; the others stay as they are. Null takes one back to its default. */
export const SettingsChange = z.strictObject({
  allow_bypass: z.boolean().nullable().optional(),
  default_provider: ProjectSettings.shape.default_provider.optional(),
  trust_repository: z.boolean().nullable().optional(),
  env_allow: ProjectSettings.shape.env_allow.nullable().optional(),
  budget_per_day: ProjectSettings.shape.budget_per_day.optional(),
});
export type SettingsChange = z.infer<typeof SettingsChange>;

/** What is kept in a project's row, the defaults filled in; what cannot be read counts as not said. */
export function settingsOf(kept: Readonly<Record<string, unknown>>): ProjectSettings {
  const read = <Key extends keyof ProjectSettings>(key: Key): ProjectSettings[Key] => {
    const parsed = ProjectSettings.shape[key].safeParse(kept[key]);
    return (parsed.success ? parsed.data : DEFAULT_SETTINGS[key]) as ProjectSettings[Key]; // the key's own schema has read it
  };
  return {
    allow_bypass: read("allow_bypass"),
    default_provider: read("default_provider"),
    trust_repository: read("trust_repository"),
    env_allow: read("env_allow"),
    budget_per_day: read("budget_per_day"),
  };
}
