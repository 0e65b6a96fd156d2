import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import { Journal } from "../../activities/journal.js";
import { ownerMark, thisProcess } from "../../activities/process-owner.js";
import { createToolActivity, type ToolDeps } from "../../activities/tool/index.js";
import type { Call, Outcome } from "../../contract/activity.js";
import type { Json, JsonObject } from "../../contract/json.js";
import type { ToolInput } from "../../contract/tool.js";
import { packageRoot } from "../../package-root.js";
import { callOf } from "./activity.js";
import { testFolder } from "./stack.js";

const PACKAGES = join(packageRoot, "node_modules/@modelcontextprotocol");
/** Real servers that others have written. */
export const EVERYTHING = join(PACKAGES, "server-everything/dist/index.js");
export const FILESYSTEM = join(PACKAGES, "server-filesystem/dist/index.js");

let activities = 0;

/** A project with tool servers, and the activity that calls them as a worker does. */
export class ToolProject {
  readonly path = realpathSync(testFolder());
  /** What the steps' logs have so far. */
  output = "";
  readonly beats: unknown[] = [];
  readonly deps: ToolDeps;
  private activity: ReturnType<typeof createToolActivity> | undefined;

  constructor(more: Partial<ToolDeps> = {}) {
    this.deps = {
      journal: new Journal(join(realpathSync(testFolder()), "journal")),
      log: {
        append: async (chunks) => {
          for (const { text } of chunks) this.output += text;
        },
      },
      graceMs: 300,
      serverPatienceMs: 2_000,
      ...more,
    };
  }

  configure(mcpServers: object): void {
    mkdirSync(join(this.path, ".agent"), { recursive: true });
    writeFileSync(join(this.path, ".agent/mcp.json"), JSON.stringify({ mcpServers }));
  }

  /** Call a tool for a step of its own. `limits` may be any part of the call. */
  use(
    name: string,
    params: JsonObject = {},
    { environment = this.environment(), path = this.path, ...limits }: Partial<Call<ToolInput>> & UseOptions = {},
  ): Promise<Outcome<Json>> {
    this.activity ??= createToolActivity(this.deps);
    const { tool: activity } = this.activity;
    const dot = name.indexOf(".");
    const input = { server: name.slice(0, dot), tool: name.slice(dot + 1), params };
    const workspace = { mode: "in_place" as const, path, base_branch: null };
    const run = { run_id: "run_1", project_id: "prj_1", project_path: path, workspace };
    return environment.run(activity, { ...callOf(run, input, { kind: "tool", key: name }), ...limits });
  }

  environment(): MockActivityEnvironment {
    const environment = new MockActivityEnvironment({ activityId: `${++activities}` }, { logger: new DefaultLogger("ERROR") });
    environment.on("heartbeat", (beat) => this.beats.push({ ...beat }));
    return environment;
  }

  async until(isSo: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
    for (const end = Date.now() + limitMs; Date.now() < end; await sleep(30)) if (await isSo()) return;
    throw new Error(`It did not come about. The log says: ${this.output}`);
  }

  async stop(): Promise<void> {
    await this.activity?.stop();
    await this.deps.journal.stop();
  }
}

export interface UseOptions {
  environment?: MockActivityEnvironment;
  path?: string;
}

/** Pids of the tool servers that this process has under way, or another one by its mark. */
export function servers(operation = `tools:${ownerMark(thisProcess())}`): number[] {
  const mark = `LONGHAUL_OPERATION=${operation}`;
  return readdirSync("/proc").flatMap((name) => {
    try {
      const isOurs = readFileSync(`/proc/${name}/environ`, "latin1").includes(mark);
      return isOurs && readFileSync(`/proc/${name}/cmdline`, "latin1") !== "" ? [Number(name)] : [];
    } catch {
      return []; // none, or gone, or another user's
    }
  });
}
