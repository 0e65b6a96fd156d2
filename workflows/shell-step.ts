import type { ExecResult, ShellOptions } from "../sdk/context.js";
import { type DoOptions, defined, onTree } from "./call.js";
import type { Engine } from "./engine.js";

/**
 * A step that runs a command by bash in the run's tree.
 *
 * @param values variables of the command that are shown with their values; of those in `options.env` only the names are.
 */
export function shellStep(
  engine: Engine,
  key: string,
  command: string,
  options: ShellOptions & DoOptions,
  values: Readonly<Record<string, string>> = {},
): Promise<ExecResult> {
  const { cwd, env, allowFailure, ...rest } = options;
  const all = { ...env, ...values };
  const given = Object.keys(all).length > 0 ? { env: all } : {};
  const shown = { ...(env ? { env: Object.keys(env) } : {}), ...(Object.keys(values).length > 0 ? { values } : {}) };
  const input = { command, ...defined({ cwd, allowFailure, secrets: rest.secrets }), ...shown };
  return engine.step({ kind: "shell", key, options: rest, input }, (place) =>
    onTree(engine, place, rest, command, (activities, call) =>
      activities.shell(call({ command, ...defined({ cwd, allowFailure }), ...given })),
    ),
  );
}
