import * as temporal from "@temporalio/workflow";
import zod from "zod"; // all of it, see `flatZod`: a namespace would be 250 getters more for each run
import { SIGNAL, UPDATE } from "../contract/messages.js";
import type { CodeProgram } from "../contract/run-spec.js";
import { evaluateProgram } from "../sdk/evaluate.js";
import type { WorkflowDefinition } from "../sdk/index.js";
import * as longhaul from "../sdk/index.js";
import type { Engine } from "./engine.js";
import { noticed, repeatable } from "./repeatable.js";

/** `@temporalio/workflow` without what would break the engine's promises. */
const {
  proxySinks: _sinks,
  continueAsNew: _continue,
  makeContinueAsNewFunc: _make,
  startChild: _start,
  executeChild: _execute,
  ...allowed
} = temporal;

const OWN: readonly string[] = [...Object.values(SIGNAL), ...Object.values(UPDATE)];

/** What the code's `import` from `@temporalio/workflow` gives. */
function facadeOf(engine: Engine, uuid4: () => string): object {
  return {
    ...allowed,
    ...noticed(engine),
    uuid4,
    setHandler(definition: { name: string; type: string }, ...rest: unknown[]) {
      if (OWN.includes(definition.name)) throw new Error(`"${definition.name}" is a message of Longhaul's own.`);
      if (definition.type !== "query") engine.obstacles.cannotRepeat(`setHandler of the ${definition.type} "${definition.name}"`);
      return (temporal.setHandler as (...args: unknown[]) => void)(definition, ...rest); // one function for signals, queries and updates
    },
  };
}

/**
 * A run's own definition, evaluated in the sandbox. The sandbox keeps runs deterministic; it is no border
 * against the author, who may run a shell step anyway.
 */
export function evaluate(engine: Engine, program: CodeProgram): WorkflowDefinition {
  const { globals, uuid4 } = repeatable(engine);
  return evaluateProgram(program, { longhaul, zod, "@temporalio/workflow": facadeOf(engine, uuid4) }, globals);
}
