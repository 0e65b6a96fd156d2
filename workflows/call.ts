import type { Call, Outcome } from "../contract/activity.js";
import type { JsonObject } from "../contract/json.js";
import type { StepOptions } from "../sdk/context.js";
import type { Engine, Place } from "./engine.js";
import { activitiesFor } from "./proxies.js";

/** What a step may be told by a plan besides. */
export interface DoOptions extends StepOptions {
  /** JSON schema that the step's value must fit. */
  outputSchema?: JsonObject;
  /** Names of the project's secrets that its processes get. */
  secrets?: string[];
  /** What the step's bar says on Temporal's page after its key, instead of what it does. */
  summary?: string;
  /** Why it was stopped, when that was not with its run. */
  stopped?: () => string | undefined;
}

/** What an activity's bar says on Temporal's page: the step it works for, and on what. */
export function label({ step }: Place, detail: string): string {
  return step.key === detail ? detail : `${step.key}: ${detail}`;
}

/** Do something to the run's tree, which is made first if it is not there. Its bar says `detail` after the step's key. */
export async function onTree<Value>(
  engine: Engine,
  place: Place,
  options: DoOptions,
  detail: string,
  act: (activities: ReturnType<typeof activitiesFor>, call: <Input>(input: Input) => Call<Input>) => Promise<Outcome<Value>>,
): Promise<Outcome<Value>> {
  await engine.workspace();
  return act(activitiesFor(label(place, options.summary ?? detail), options), (input) => call(engine, place, options, input));
}

/** The argument of an activity that works for this step's try. */
export function call<Input>(engine: Engine, { step, attempt, lost }: Place, options: DoOptions, input: Input): Call<Input> {
  return {
    run: engine.run,
    step,
    attempt: attempt + lost,
    ...(options.retry === false ? { noRetry: true } : {}),
    ...defined({ timeoutMs: options.timeout, idleTimeoutMs: options.idleTimeout, output_schema: options.outputSchema }),
    ...defined({ secrets: options.secrets }),
    input,
  };
}

/** Without the keys whose value is undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
