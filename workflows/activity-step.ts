import type { UserActivityInput } from "../activities/user-activity.js";
import type { Json } from "../contract/json.js";
import { call, type DoOptions, label } from "./call.js";
import type { Engine } from "./engine.js";
import { activitiesFor } from "./proxies.js";

/** A step that calls a function of the author's own, in a Node process of its file. */
export function activityStep(engine: Engine, key: string, input: UserActivityInput, options: DoOptions): Promise<Json> {
  return engine.step({ kind: "activity", key, options, input: input.args }, (place) =>
    activitiesFor(label(place, options.summary ?? input.name), options).userActivity(call(engine, place, options, input)),
  );
}
