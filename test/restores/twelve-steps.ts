// One run of twelve steps, written in each way that there is: some one after the other, some side by side, some in a loop.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../package-root.js";

export interface Way {
  name: "typescript" | "phases" | "stages" | "dag" | "tools";
  ending: ".ts" | ".yaml" | ".json" | ".workflow.yml";
  /** @param script of `writeNotes` */
  source: (script: string) => string;
}

/** Their workflows are called `twelve_<name>`. Each step of a command or a tool notes `<its key>-<its iteration>`. */
export const WAYS: readonly Way[] = [
  { name: "typescript", ending: ".ts", source: code },
  { name: "phases", ending: ".yaml", source: phases },
  { name: "stages", ending: ".workflow.yml", source: stages },
  { name: "dag", ending: ".yaml", source: dag },
  { name: "tools", ending: ".json", source: tools },
];

/**
 * What the steps do: first they note, outside of the run's tree, its folder's name and the tree as git names it, one line a step; then they
 * make a file of their own in it. One after the other, also side by side.
 */
export function writeNotes(folder: string): { script: string; effects: string } {
  const script = join(folder, "note.sh");
  const effects = join(folder, "effects");
  const lines = [
    "set -e",
    `exec 9>>${effects}`,
    "flock 9",
    "export GIT_INDEX_FILE=$(mktemp -u)",
    "git add -A",
    'echo "$(basename "$PWD") $1 $(git write-tree)" >&9',
    'rm -f "$GIT_INDEX_FILE"',
    'echo "$1" > "$1.txt"',
  ];
  writeFileSync(script, `${lines.join("\n")}\n`);
  writeFileSync(effects, "");
  return { script, effects };
}

/** Give a project a tool that does what the script does. */
export function offerNotes(project: string, script: string): void {
  const args = [join(packageRoot, "test/restores/effects-server.mjs"), script, `\${workspace}`];
  const effects = { command: process.execPath, args };
  mkdirSync(join(project, ".agent"), { recursive: true });
  writeFileSync(join(project, ".agent/mcp.json"), JSON.stringify({ mcpServers: { effects } }));
}

function code(script: string): string {
  return `import { defineWorkflow } from "longhaul";
export default defineWorkflow({
  name: "twelve_typescript",
  async execute(ctx) {
    const note = (name: string, n = 1) => ctx.shell(\`sh ${script} \${name}-\${n}\`, { name });
    await note("a");
    await ctx.git.ensureBranch("feature/twelve");
    await note("b");
    await ctx.parallel(["p", "q", "r"].map((name) => () => note(name)));
    for (const n of [1, 2, 3]) await note("loop", n);
    await ctx.git.commit("All of it");
    await note("y");
    await note("z");
  },
});
`;
}

function phases(script: string): string {
  return `name: twelve_phases
phases: [early, late]
steps:
  - { id: a, phase: early, type: script, command: sh ${script} a-1 }
  - { id: b, phase: early, type: script, command: sh ${script} b-1 }
  - { id: side, phase: early, type: script, for_each: [1, 2, 3], concurrency: 3, command: "sh ${script} side-{{ item }}" }
  - { id: c, phase: early, type: script, command: sh ${script} c-1 }
  - { id: loop, phase: late, type: script, for_each: [1, 2, 3], command: "sh ${script} loop-{{ item }}" }
  - { id: x, phase: late, type: script, command: sh ${script} x-1 }
  - { id: y, phase: late, type: script, command: sh ${script} y-1 }
  - { id: z, phase: late, type: script, command: sh ${script} z-1 }
`;
}

/** Two passes of six steps: the question to two agents is one for itself and one for each of them. */
function stages(script: string): string {
  return `name: twelve_stages
stages: [plan, ask, code, check]
loop: { max_iters: 2 }
stageConfigs:
  plan: { command: "sh ${script} plan-\${iteration}" }
  ask:
    mode: parallel
    providers: [claude-code, { provider: claude, name: other }]
    prompt: "[[say Pass \${iteration}.]]"
  code: { command: "sh ${script} code-\${iteration}" }
  check: { command: "sh ${script} check-\${iteration}" }
`;
}

function dag(script: string): string {
  const step = (key: string, ...needs: string[]) =>
    `  - { key: ${key}, type: script, dependencies: [${needs.join(", ")}], command: sh ${script} ${key}-1 }`;
  return `name: twelve_dag
version: "1.0.0"
steps:
${step("a")}
${["p", "q", "r"].map((key) => step(key, "a")).join("\n")}
${step("b", "p", "q", "r")}
  - { key: loop, type: script, dependencies: [b], for_each: [1, 2, 3], command: "sh ${script} loop-{{ item }}" }
${["s", "t"].map((key) => step(key, "loop")).join("\n")}
${step("y", "s", "t")}
${step("z", "y")}
`;
}

function tools(): string {
  const note = (name: string, n: string, more: object = {}) => ({
    name,
    tool: "effects.note",
    params: { name: `${name}-${n}` },
    ...more,
  });
  const each = { for_each: [1, 2, 3] };
  const first = ["a", "b"].map((name) => note(name, "1"));
  const last = ["w", "x", "y", "z"].map((name) => note(name, "1"));
  return JSON.stringify({
    name: "twelve_tools",
    steps: [...first, note("side", `\${item}`, { ...each, concurrency: 3 }), note("loop", `\${item}`, each), ...last],
  });
}
