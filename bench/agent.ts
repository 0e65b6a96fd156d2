import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { claudeBinary } from "../activities/agent/claude-binary.js";
import { claudeEnvironment } from "../activities/agent/claude-environment.js";
import { ended, get, post } from "./engines.js";

/** Three answers of the model, a second each, with two tools between them: a short turn. A longer one has less around it. */
const PROMPT = "[[slow 1000]] [[shell ls]] [[slow 1000]] [[write made.txt made]] [[slow 1000]] [[say Done so.]]";

const FILE = `import { defineWorkflow } from "longhaul";
export default defineWorkflow({ name: "turn", async execute(ctx) {
  await ctx.shell("true", { name: "tree" });
  await ctx.agent("turn", { permission: "bypassPermissions", prompt: ${JSON.stringify(PROMPT)} });
  await ctx.shell("true", { name: "next" });
} });
`;

/** An agent's turn in both ways, in milliseconds. */
export interface AgentTurns {
  /** As a step, from the moment that its run asks for it until it asks for the next one. */
  step(): Promise<number>;
  /** The same prompt given to the same binary, from its start to its exit, in a folder that has seen it before. */
  byHand(): Promise<number>;
}

/** @param folder new, for a repository of its own */
export async function agentTurns(url: string, token: string, folder: string): Promise<AgentTurns> {
  const project = repository(join(folder, "step"));
  const definitions = join(project, ".agent/workflows/definitions");
  mkdirSync(definitions, { recursive: true });
  writeFileSync(join(definitions, "turn.ts"), FILE);
  const authorization = `Bearer ${token}`;
  await post(`${url}/api/projects`, { path: project }, authorization);
  let workflow: string | undefined;
  for (let tries = 0; workflow === undefined && tries < 200; tries++) {
    const { data } = (await get(`${url}/api/workflows?q=turn`, authorization)) as { data: { id: string; name: string }[] };
    workflow = data.find(({ name }) => name === "turn")?.id;
    if (workflow === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  const tree = repository(join(folder, "by-hand"));
  const configDir = join(folder, "claude");
  mkdirSync(join(configDir, "tmp"), { recursive: true });
  const args = ["-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "bypassPermissions"];
  const env = claudeEnvironment(process.env, { configDir, marks: { LONGHAUL_RUN_ID: "by-hand" }, rootMayBypass: true });

  return {
    async step() {
      const { data } = (await post(`${url}/api/workflows/${workflow}/execute`, {}, authorization)) as { data: { id: string } };
      await ended(`${url}/api/runs/${data.id}/events?after=0`, authorization);
      const { data: events } = (await get(`${url}/api/runs/${data.id}/events?limit=100`, authorization)) as { data: Told[] };
      const started = (step: number) => {
        const told = events.find(
          ({ type, data: { step_id } }) => type === "workflow.step.started" && step_id === `${data.id}-${step}`,
        );
        if (!told) throw new Error(`The run ${data.id} has not come to its step ${step}.`);
        return Date.parse(told.at);
      };
      return started(3) - started(2);
    },
    async byHand() {
      execFileSync("git", ["-C", tree, "clean", "-qfd"]);
      const began = performance.now();
      const child = spawn(claudeBinary(), args, { cwd: tree, env, stdio: ["pipe", "ignore", "inherit"] });
      child.stdin.end(PROMPT);
      const code = await new Promise((resolve) => child.once("close", resolve));
      if (code !== 0) throw new Error(`Claude Code ended with ${code}.`);
      return performance.now() - began;
    },
  };
}

interface Told {
  type: string;
  at: string;
  data: { step_id?: string };
}

function repository(path: string): string {
  mkdirSync(path, { recursive: true });
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", path, "-c", "user.name=bench", "-c", "user.email=bench@example.com", ...args]);
  git("init", "-q", "-b", "main");
  writeFileSync(join(path, "README.md"), "# Bench\n");
  git("add", ".");
  git("commit", "-qm", "First");
  return path;
}
