import * as temporal from "@temporalio/workflow";
import type { Engine } from "./engine.js";

/**
 * What a workflow's code sees of time and chance: it is the same each time that the run's code is carried out from its beginning. Inside
 * `ctx.run` they are Temporal's, since what a function gave is kept.
 */
export function repeatable(engine: Engine): { globals: Record<string, unknown>; uuid4(): string } {
  const draw = drawing(engine.spec.run_id);
  const random = () => (engine.place ? Math.random() : draw());
  const now = () => engine.now();
  const clock = new Proxy(Date, {
    construct: (date, args, target) => Reflect.construct(date, args.length > 0 ? args : [now()], target),
    apply: () => new Date(now()).toString(),
    get: (date, name) => (name === "now" ? now : Reflect.get(date, name)),
  });
  const chance = Object.create(Math, { random: { value: random } });
  const timer = (...args: Parameters<typeof setTimeout>) => {
    engine.obstacles.cannotRepeat("setTimeout");
    return setTimeout(...args);
  };
  return {
    globals: { Date: clock, Math: chance, setTimeout: timer },
    uuid4: () => (engine.place ? temporal.uuid4() : uuidOf(draw)),
  };
}

/** Temporal's own words whose effects are not kept with the run's steps: each says that it was used. */
export function noticed(engine: Engine): Partial<typeof temporal> {
  const notice =
    <Args extends unknown[], Result>(name: string, act: (...args: Args) => Result) =>
    (...args: Args): Result => {
      engine.obstacles.cannotRepeat(name);
      return act(...args);
    };
  const called = <Proxied extends object>(name: string, proxied: Proxied): Proxied =>
    new Proxy(proxied, { get: (target, key) => notice(name, Reflect.get(target, key) as (...args: unknown[]) => unknown) });
  return {
    sleep: notice("sleep", temporal.sleep),
    condition: ((holds: () => boolean, ...timeout: [number]) => {
      if (timeout[0] !== undefined) engine.obstacles.cannotRepeat("condition with a timeout");
      return temporal.condition(holds, ...timeout);
    }) as typeof temporal.condition, // with and without a timeout
    proxyActivities: ((options) =>
      called("proxyActivities", temporal.proxyActivities(options))) as typeof temporal.proxyActivities,
    proxyLocalActivities: ((options) =>
      called("proxyLocalActivities", temporal.proxyLocalActivities(options))) as typeof temporal.proxyLocalActivities,
    getExternalWorkflowHandle: notice("getExternalWorkflowHandle", temporal.getExternalWorkflowHandle),
    CancellationScope: new Proxy(temporal.CancellationScope, {
      construct(scope, args, target) {
        if (args[0]?.timeout !== undefined) engine.obstacles.cannotRepeat("CancellationScope with a timeout");
        return Reflect.construct(scope, args, target);
      },
      get(scope, name) {
        const value = Reflect.get(scope, name);
        return name === "withTimeout" ? notice("CancellationScope.withTimeout", value.bind(scope)) : value;
      },
    }),
  };
}

/** Numbers from 0 to 1 that follow from a text: as good as chance for what workflows do with it. */
function drawing(text: string): () => number {
  const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0xdeadbeef];
  for (const [i, letter] of [...text].entries()) {
    const at = i % 4;
    state[at] = Math.imul((state[at] as number) ^ letter.charCodeAt(0), 0x01000193) ^ (state[(at + 1) % 4] as number);
  }
  let [a, b, c, d] = state as [number, number, number, number];
  const draw = () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let i = 0; i < 16; i++) draw();
  return draw;
}

function uuidOf(draw: () => number): string {
  const digit = (_: unknown, i: number) =>
    i === 12 ? "4" : (i === 16 ? 8 + Math.floor(draw() * 4) : Math.floor(draw() * 16)).toString(16);
  const digits = Array.from({ length: 32 }, digit).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
