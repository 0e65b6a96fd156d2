import type { Call, Outcome } from "../../contract/activity.js";
import type { ToolCallRow } from "../../contract/agent-session.js";
import type { TreeRef } from "../../contract/fact.js";
import type { Json } from "../../contract/json.js";
import { TOOL_TIMEOUT_MS, type ToolInput } from "../../contract/tool.js";
import { StepFailure } from "../failure.js";
import { mapTexts } from "../map-texts.js";
import { type PerformDeps, perform } from "../perform.js";
import { SecretMask } from "../secret-mask.js";
import { ProjectServers } from "./config.js";
import { findServer } from "./find-server.js";
import { checkParams, toolNamed } from "./params.js";
import { ServerPool, untilAborted } from "./pool.js";
import type { ServerSpec, ToolAnswer, ToolServer, ToolUse } from "./server.js";
import { SessionEnded } from "./session-ended.js";
import { textOf, valueOfAnswer } from "./value.js";

export interface ToolDeps extends PerformDeps {
  /** Servers without a process, by name. @default none */
  builtIn?: ReadonlyMap<string, () => ToolServer> | undefined;
  /** Before a server without a call is closed. @default 60000 */
  idleServerMs?: number | undefined;
  /** Milliseconds a server may be silent that is asked whether it is there, after a call was given up. @default 10000 */
  serverPatienceMs?: number | undefined;
  /** The tree that a step leaves. */
  snapshotTree?: ((call: Call<unknown>) => Promise<TreeRef | undefined>) | undefined;
  /** Makes the run's tree when it is not there. */
  openTree?: ((call: Call<unknown>) => Promise<unknown>) | undefined;
}

const WORDS = 2_000;

/**
 * Call a tool of a server: one of the project's `.agent/mcp.json`, or a built-in one. The server is started by the first call, in
 * the project's folder, and shared by the calls of one project. After a lost worker the call is made again. Told to stop, the
 * server is told so and waited for no longer.
 *
 * @returns what `valueOfAnswer` makes of the answer.
 * @throws {ApplicationFailure} before anything is called: `tool_config_invalid`, `tool_unknown_server`, `tool_server_failed` (it
 *   could not be started), `tool_unknown`, `tool_invalid_params`; then `tool_failed`, the tool's own words, its detail's `output`
 *   the value; `tool_server_lost`, the server ended under the call; what a built-in tool throws; and what `perform` throws.
 */
export function createToolActivity(deps: ToolDeps): {
  tool(call: Call<ToolInput>): Promise<Outcome<Json>>;
  /** Close all servers. */
  stop(): Promise<void>;
} {
  const { builtIn = new Map(), graceMs, snapshotTree, openTree } = deps;
  const pool = new ServerPool({ idleMs: deps.idleServerMs, warn: deps.warn });

  function tool(call: Call<ToolInput>): Promise<Outcome<Json>> {
    const { run, input } = call;
    const limited = { ...call, timeoutMs: call.timeoutMs || TOOL_TIMEOUT_MS };
    let usesTree = false;
    const tree = async () => (usesTree ? snapshotTree?.(call) : undefined);
    return perform(deps, `the tool ${input.server}.${input.tool}`, limited, { tree }, async (work) => {
      const place = { project_path: run.project_path, workspace_path: run.workspace.path };
      const spec = findServer(input.server, place, await ProjectServers.read(place), {
        builtIn,
        graceMs,
        patienceMs: deps.serverPatienceMs,
      });
      const mask = masking(spec.secrets);
      const use: ToolUse = {
        call,
        work,
        mask,
        async openTree() {
          usesTree = true;
          await openTree?.(call);
        },
      };
      if (spec.usesTree) await use.openTree();
      try {
        return mapTexts(await useServer(pool, spec, use), mask);
      } catch (error) {
        throw error instanceof StepFailure && spec.secrets.length > 0
          ? new StepFailure(error.type, mask(error.message), mapTexts(error.output, mask))
          : error;
      }
    });
  }

  return { tool, stop: () => pool.stop() };
}

async function useServer(pool: ServerPool, spec: ServerSpec, use: ToolUse, isAgain = false): Promise<Json> {
  const { signal } = use.work;
  const lease = await pool.lease(spec, signal);
  try {
    return await useTool(lease.server, use);
  } catch (error) {
    if (!(error instanceof SessionEnded)) throw error;
    if (isAgain) throw new StepFailure("tool_server_lost", error.message);
  } finally {
    lease.release();
  }
  return useServer(pool, spec, use, true); // nothing was begun in the session that has ended
}

async function useTool(server: ToolServer, use: ToolUse): Promise<Json> {
  const { call, work } = use;
  const { input } = call;
  const info = toolNamed(input.server, input.tool, await untilAborted(server.tools(), work.signal));
  await checkParams(input.server, info, input.params);
  const row = rowOf(use);
  try {
    const answer = await server.call(input.tool, input.params, use);
    const value = valueOfAnswer(answer);
    Object.assign(row, { output: excerpt(value, use), is_error: answer.isError });
    if (answer.isError) throw new StepFailure("tool_failed", failureText(input, answer), value);
    return value;
  } catch (error) {
    if (row.output === null) Object.assign(row, { output: use.mask(messageOf(error)).slice(0, WORDS), is_error: true });
    throw error;
  } finally {
    work.left.tool_calls = [...(work.left.tool_calls ?? []), row];
  }
}

function rowOf(use: ToolUse): ToolCallRow {
  const { call, work } = use;
  const { server, tool, params } = call.input;
  const operation = work.marks.LONGHAUL_OPERATION ?? `${call.attempt}`;
  return {
    id: `${call.step.id}-t${operation.slice(operation.lastIndexOf(":") + 1)}`,
    run_id: call.run.run_id,
    step_id: call.step.id,
    agent_session_id: null,
    tool: `${server}.${tool}`,
    input: excerpt(params, use),
    output: null,
    is_error: false,
    at: new Date().toISOString(),
  };
}

/** As it is, or its beginning: a row goes through the history. */
function excerpt(value: Json, { mask }: ToolUse): Json {
  const text = JSON.stringify(mapTexts(value, mask));
  return text.length > WORDS ? `${text.slice(0, WORDS)} … (${text.length} characters)` : (JSON.parse(text) as Json);
}

function failureText({ server, tool }: ToolInput, { content }: ToolAnswer): string {
  const words = textOf(content).trim();
  return words === "" ? `${server}.${tool} failed without saying why.` : words.slice(0, WORDS);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Short texts are left alone: to hide them would hide half of everything. */
function masking(secrets: readonly string[]): (text: string) => string {
  return new SecretMask(secrets.filter((secret) => secret.length >= 8)).text;
}
