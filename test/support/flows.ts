import { join } from "node:path";
import type { Longhaul, RunRow } from "./longhaul.js";

let files = 0;

/** The text of a workflow file whose `execute` does this, by a name of its own when none is given. */
export function codeOf(body: string, name = `flow ${++files}`): string {
  const text = `export default defineWorkflow({ name: "${name}", async execute(ctx: any) {${body}\n} });`;
  return `import { defineWorkflow } from "longhaul";\n${text}`;
}

/** The text of a plan in YAML, by a name of its own. */
export function planOf(steps: string): string {
  return `name: flow ${++files}\nsteps:${steps}\n`;
}

/** The text of a plan in JSON: commands one after the other, `s1`, `s2`, …, in the phase `one`. */
export function scriptsOf(name: string, commands: string[]): string {
  const steps = commands.map((command, i) => ({
    id: `s${i + 1}`,
    name: `s${i + 1}`,
    phase: "one",
    type: "script",
    command,
  }));
  return JSON.stringify({ name, phases: ["one"], steps });
}

export function statusesOf({ steps }: RunRow): Record<string, string> {
  return Object.fromEntries(steps.map(({ step_id, status }) => [step_id, status]));
}

/** A file of a run's own tree. */
export function inTree({ config }: Longhaul, { id, project_id }: RunRow, name: string): string {
  return join(config.home, "worktrees", project_id, id, name);
}
