import type { Call, Outcome } from "../contract/activity.js";
import type { Files, StepOptions } from "../sdk/context.js";
import { defined, onTree } from "./call.js";
import type { Engine } from "./engine.js";
import type { activitiesFor } from "./proxies.js";

type FilesActivities = ReturnType<typeof activitiesFor>;
type Act<Value> = (activities: FilesActivities, call: <Input>(input: Input) => Call<Input>) => Promise<Outcome<Value>>;

/** `ctx.files`: what writes is a step, what reads is not. */
export function filesContext(engine: Engine): Files {
  function change<Value>(
    verb: string,
    path: string,
    more: { to?: string; bytes?: number },
    options: StepOptions,
    act: Act<Value>,
  ) {
    const key = options.name ?? `files-${verb}`;
    return engine.step({ kind: "files", key, options, input: { path, ...more } }, (place) =>
      onTree(engine, place, options, path, act),
    );
  }

  function look<Value>(verb: string, path: string, act: Act<Value>): Promise<Value> {
    return engine.looks.read(`files ${verb}`, (place) => onTree(engine, place, {}, path, act));
  }

  return {
    write: (path, content, options = {}) =>
      change("write", path, { bytes: content.length }, options, (files, call) => files.filesWrite(call({ path, content }))),
    delete: (path, options = {}) => change("delete", path, {}, options, (files, call) => files.filesDelete(call({ path }))),
    copy: (from, to, options = {}) => change("copy", from, { to }, options, (files, call) => files.filesCopy(call({ from, to }))),
    read: (path) => look("read", path, (files, call) => files.filesRead(call({ path }))),
    exists: (path) => look("exists", path, (files, call) => files.filesExists(call({ path }))),
    list: (path = ".", { recursive } = {}) =>
      look("list", path, (files, call) => files.filesList(call({ path, ...defined({ recursive }) }))),
  };
}
