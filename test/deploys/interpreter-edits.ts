import { type Swap, swapping } from "./swap.js";

/** A change of Longhaul's own workflow code, made on its bundle. */
export interface InterpreterEdit {
  name: string;
  /** Which runs go another way by it: none, all of the fleet, or those that have done a step of git. */
  breaks: "none" | "all" | "git";
  apply: (code: string) => string;
}

/** What Temporal's own module is called in the bundle's modules. */
const SLEEP = "(0,_temporalio_workflow__WEBPACK_IMPORTED_MODULE_0__.sleep)";
const NAP = `${SLEEP}((0,_deadline_js__WEBPACK_IMPORTED_MODULE_1__.leftOf)(wait, ms), { summary: step.name })`;
const BEGIN = "this.enterPhase(step, { silently: wait !== undefined });";
const TELL = 'const place = at ? { place: at } : {};\n        this.narrator.tell({ type: "step.started", step,';

export const INTERPRETER_EDITS: readonly InterpreterEdit[] = [
  edit(
    "another comment",
    "none",
    "// One that is stopped at the gate has no number: numbers have no gap.",
    "/* Numbers have no gap. */",
  ),
  edit(
    "a local variable gets another name",
    "none",
    ["const iteration = (this", "const nth = (this"],
    ["this.iterations.set(key, iteration);\n        return iteration;", "this.iterations.set(key, nth);\n        return nth;"],
  ),
  edit(
    "a new log line",
    "none",
    BEGIN,
    `${BEGIN} this.narrator.tell({ type: "log", level: "debug", text: "begins", step_id: step.id, attempt: 1 });`,
  ),
  edit(
    "other words on Temporal's page",
    "none",
    "step.key === detail ? detail : `${step.key}: ${detail}`",
    "`${detail} (${step.key})`",
  ),
  edit(
    "another heartbeat",
    "none",
    'heartbeatTimeout: "20 seconds",\n        cancellationType',
    'heartbeatTimeout: "40 seconds",\n        cancellationType',
  ),
  edit("more tries of lost workers", "none", "const LOST_WORKER_TRIES = 5", "const LOST_WORKER_TRIES = 7"),
  edit("another field of the engine", "none", "noticed = new Set();", "noticed = new Set();\n    seen = 0;"),
  edit(
    "a new field of an activity's input",
    "none",
    "run: engine.run,\n        step,",
    "run: engine.run,\n        schema: 2,\n        step,",
  ),
  edit("another sentence of an error", "none", "does not wait for an answer.", "waits for no answer."),
  edit("a promise more", "none", BEGIN, `${BEGIN} await Promise.resolve();`),
  edit("an activity gets another name", "git", "git.gitEnsureBranch(", "git.gitMakeBranch("),
  edit("no tree is opened", "git", "if (this.opened)\n            return this.opened;", "return Promise.resolve();"),
  edit("steps are numbered from 2", "all", "this.refOf(++this.numbers,", "this.refOf(1 + ++this.numbers,"),
  edit(
    "doings of a key are not counted",
    "all",
    "const iteration = (this.iterations.get(key) ?? 0) + 1;",
    "const iteration = 1;",
  ),
  edit(
    "keys are written otherwise",
    "all",
    "number, key, name, phase, kind,",
    "number, key: key.toUpperCase(), name, phase, kind,",
  ),
  edit(
    "functions are activities",
    "all",
    "key, name, phase, kind, iteration }",
    'key, name, phase, kind: kind === "function" ? "activity" : kind, iteration }',
  ),
  edit("the time limit has no timer", "all", `${SLEEP}(this.left, {`, "(() => new Promise(() => {}))(this.left, {"),
  edit("each step waits for a moment first", "all", BEGIN, `await ${SLEEP}(1); ${BEGIN}`),
  edit("a sleep takes no time", "all", NAP, "Promise.resolve()"),
  edit("a sleep is two", "all", NAP, `${SLEEP}(ms).then(() => ${SLEEP}(ms))`),
  edit(
    "an approval waits for nobody",
    "all",
    "if (isAttended(engine))\n            await waited(",
    "if (false)\n            await waited(",
  ),
  edit(
    "a step is told twice",
    "all",
    TELL,
    `${TELL.replace("{ place: at } : {};", "{ place: at } : {}; this.numbering.next(kind, key, { phase: null });")}`,
  ),
];

function edit(name: string, breaks: InterpreterEdit["breaks"], ...given: (string | Swap)[]): InterpreterEdit {
  return { name, breaks, apply: swapping(name, given) };
}
