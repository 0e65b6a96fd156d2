import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { readConfig } from "../../config.js";
import { newId } from "../../contract/id.js";
import { freePort } from "../../local/ports.js";
import { type Stack, startStack } from "../../local/stack.js";
import { builtFile } from "../../package-root.js";
import { LonghaulClient } from "../../sdk/client.js";
import { makeNamespace } from "./longhaul.js";
import { makeRepository } from "./repository.js";
import { temporalAddress, testDatabase, testFolder, whenThrough } from "./stack.js";

/** A whole Longhaul on real servers, and the command line beside it, for one test file. */
export interface CliStack {
  stack: Stack;
  client: LonghaulClient;
  /** A git repository, in which commands are called. */
  project: string;
  env: NodeJS.ProcessEnv;
  /** Run the program to its end, in the project if not said otherwise. */
  run: (args: string[], options?: CallOptions) => Promise<Ended>;
  /** Start the program. */
  begin: (args: string[], options?: CallOptions) => Begun;
  /** Put a workflow's file into the project; gives its path. */
  define: (name: string, body: string, head?: string) => string;
  /** Stop everything and start it again with the same data. */
  restart: () => Promise<void>;
}

export interface CallOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Its standard input. @default none */
  input?: string;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Begun {
  child: ChildProcess;
  said: { stdout: string; stderr: string };
  ended: Promise<Ended>;
}

export async function cliStack(): Promise<CliStack> {
  const [address, database] = await Promise.all([temporalAddress(), testDatabase()]);
  const namespace = newId("cli").replaceAll("_", "-");
  const connection = await Connection.connect({ address });
  await makeNamespace(connection, namespace);
  await connection.close();
  const folder = realpathSync(testFolder());
  const env = {
    LONGHAUL_HOME: join(folder, "home"),
    LONGHAUL_PORT: String(await freePort()),
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    DATABASE_URL: database.url,
    ...(process.env.LONGHAUL_CODEX_BIN && { LONGHAUL_CODEX_BIN: process.env.LONGHAUL_CODEX_BIN }),
  };
  const project = realpathSync(await makeRepository(folder));
  const bring = () => startStack(readConfig(env));
  let stack = await bring();
  whenThrough(async () => {
    await stack.stop();
    await database.drop();
  });

  return {
    get stack() {
      return stack;
    },
    client: new LonghaulClient(stack),
    project,
    env,
    run: (args, options = {}) => begin(args, options).ended,
    begin,
    define(name, body, head = "") {
      const file = join(project, ".agent/workflows/definitions", `${name}.ts`);
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(
        file,
        `import { defineWorkflow } from "longhaul";\nimport { z } from "zod";\nexport default defineWorkflow({ name: "${name}", ${head}\n  async execute(ctx) { ${body} } });\nvoid z;\n`,
      );
      return file;
    },
    async restart() {
      await stack.stop();
      stack = await bring();
    },
  };

  function begin(args: string[], { cwd = project, env: more = {}, input }: CallOptions = {}): Begun {
    return beginCli(args, { cwd, env: { ...env, ...more }, input });
  }
}

/** Start the built program with an environment of its own. */
export function beginCli(
  args: string[],
  { cwd, env, input }: { cwd: string; env: NodeJS.ProcessEnv; input?: string | undefined },
): Begun {
  const { NO_COLOR: _, FORCE_COLOR: __, ...own } = process.env;
  const child = spawn(process.execPath, [builtFile("cli/main.js"), ...args], { cwd, env: { ...own, ...env } });
  child.stdin.end(input);
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, ...said })));
  return { child, said, ended };
}
