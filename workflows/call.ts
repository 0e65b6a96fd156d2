import type { Call, Outcome } from "../contract/activity.js";
import type { StepOptions } from "../sdk/context.js";
import type { Engine, Place } from "./engine.js";
import { activitiesFor } from "./proxies.js";

/** Do something to the run's tree, which is made first if it is not there. */
export async function onTree<Value>(
  engine: Engine,
  place: Place,
  options: StepOptions,
  summary: string,
  act: (activities: ReturnType<typeof activitiesFor>, call: <Input>(input: Input) => Call<Input>) => Promise<Outcome<Value>>,
): Promise<Outcome<Value>> {
  await engine.workspace();
  return act(activitiesFor(summary, options), (input) => call(engine, place, options, input));
}

/** The argument of an activity that works for this step's try. */
export function call<Input>(engine: Engine, { step, attempt, lost }: Place, options: StepOptions, input: Input): Call<Input> {
  return {
    run: engine.run,
    step,
    attempt: attempt + lost,
    ...(options.retry === false ? { noRetry: true } : {}),
    ...defined({ timeoutMs: options.timeout, idleTimeoutMs: options.idleTimeout }),
    input,
  };
}

/** Without the keys whose value is undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
