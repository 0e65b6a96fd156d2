import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What every counting workflow takes. */
export interface CountInput {
  /** Absolute: each step appends the line that is its number. */
  file: string;
  steps: number;
}

const COUNT_INPUT = "input: z.object({ file: z.string(), steps: z.number() })";

/** The workflows that faults befall, by name. Step n takes 200 ms, and after 150 appends the line `n` with the time in seconds. */
export const DEFINITIONS: Record<string, string> = {
  "count-shell": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "count-shell",
  ${COUNT_INPUT},
  async execute(ctx) {
    for (let n = 1; n <= ctx.input.steps; n++) {
      await ctx.shell(\`sleep 0.15; echo \${n} $EPOCHREALTIME >> "$COUNTER"; sleep 0.05; echo done \${n}\`, { name: "s" + n, env: { COUNTER: ctx.input.file } });
    }
    return ctx.input.steps;
  },
});
`,
  "count-activity": `import { appendFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { defineWorkflow } from "longhaul";
import { z } from "zod";
export const activities = {
  async count(file: string, n: number): Promise<string> {
    await sleep(150);
    await appendFile(file, n + " " + Date.now() / 1000 + "\\n");
    await sleep(50);
    return "done " + n;
  },
};
export default defineWorkflow({
  name: "count-activity",
  ${COUNT_INPUT},
  async execute(ctx) {
    const { count } = ctx.activities as unknown as typeof activities;
    for (let n = 1; n <= ctx.input.steps; n++) await count(ctx.input.file, n);
    return ctx.input.steps;
  },
});
`,
  "count-agent": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "count-agent",
  ${COUNT_INPUT},
  async execute(ctx) {
    for (let n = 1; n <= ctx.input.steps; n++) {
      await ctx.agent("s" + n, { permission: "bypassPermissions", prompt: \`[[shell echo \${n} $EPOCHREALTIME >> \${ctx.input.file}]]\` });
    }
    return ctx.input.steps;
  },
});
`,
  "one-activity": `import { execFileSync } from "node:child_process";
import { defineWorkflow } from "longhaul";
import { z } from "zod";
export const activities = {
  async act(command: string): Promise<void> {
    execFileSync("bash", ["-c", command]);
  },
};
export default defineWorkflow({
  name: "one-activity",
  input: z.object({ command: z.string() }),
  async execute(ctx) {
    await (ctx.activities as unknown as typeof activities).act(ctx.input.command);
  },
});
`,
  "one-command": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "one-command",
  input: z.object({ command: z.string() }),
  async execute(ctx) {
    return await ctx.shell(ctx.input.command, { name: "only" });
  },
});
`,
};

/** Plans, by file. Each has a file that its steps append a word to. */
export const PLANS: Record<string, string> = {
  "asks.yaml": `
name: asks
steps:
  - { id: before, type: script, command: "echo before >> {{ args.file }}" }
  - { id: ask, type: approval, message: Go on? }
  - { id: after, type: script, command: 'echo {{ ask.by }} >> {{ args.file }}' }
`,
  "decides.yaml": `
name: decides
steps:
  - { id: ask, type: approval, message: Go on?, deadline: 4s, default: approve, remind_every: 1s }
  - { id: after, type: script, command: 'echo {{ ask.approved }} >> {{ args.file }}' }
`,
  "listens.yaml": `
name: listens
steps:
  - { id: hold, type: script, command: 'echo held >> {{ args.file }}; until [ -e {{ args.file }}.go ]; do sleep 0.05; done' }
  - { id: first, type: wait, event: deployed }
  - { id: second, type: wait, event: deployed, deadline: 1s, on_failure: continue }
  - { id: after, type: script, command: 'echo {{ first.url }} >> {{ args.file }}' }
`,
  "rests.yaml": `
name: rests
steps:
  - { id: nap, type: sleep, duration: "{{ args.rest }}" }
  - { id: after, type: script, command: 'echo after >> {{ args.file }}' }
`,
  "delegates.yaml": `
name: delegates
steps:
  - { id: child, type: workflow, workflow: asks, input: { file: "{{ args.file }}" } }
  - { id: after, type: script, command: 'echo {{ child.end_reason }} >> {{ args.file }}' }
`,
  "careful.yaml": `
name: careful
steps:
  - { id: deploy, type: script, retry: false, command: 'echo acted >> {{ args.file }}; sleep 60' }
  - { id: after, type: script, command: 'echo after >> {{ args.file }}' }
`,
};

/** Put all of them where the project's definitions are looked for. */
export function writeDefinitions(project: string, definitions: Readonly<Record<string, string>>): void {
  const folder = join(project, ".agent/workflows/definitions");
  mkdirSync(folder, { recursive: true });
  for (const [name, source] of Object.entries(definitions))
    writeFileSync(join(folder, name.includes(".") ? name : `${name}.ts`), source);
}
