import { AsyncLocalStorage, CancellationScope, CancelledFailure, condition, isCancellation } from "@temporalio/workflow";
import type { Outcome, RunRef } from "../contract/activity.js";
import type { EngineState } from "../contract/continuation.js";
import type { StepRef } from "../contract/fact.js";
import type { Json } from "../contract/json.js";
import { policyOf } from "../contract/retry.js";
import type { WaitingFor } from "../contract/run.js";
import type { RunSpec } from "../contract/run-spec.js";
import type { Done, DoneStep, OpenWait } from "../contract/seed.js";
import type { StepKind } from "../contract/step.js";
import type { StepOptions, StepResult } from "../sdk/context.js";
import { placeOf } from "../sdk/evaluate.js";
import { StepFailed } from "../sdk/step-failed.js";
import { Approvals } from "./approvals.js";
import { Budgets } from "./budgets.js";
import { Children } from "./child.js";
import { Controls, SkippedByHand } from "./controls.js";
import { afterwards, Endings } from "./endings.js";
import { readFailure, type StepFailure } from "./failure.js";
import { refuseLongHistory } from "./history-limit.js";
import type { Life } from "./life.js";
import { Looks } from "./looks.js";
import { Mailbox } from "./mailbox.js";
import type { Narrator } from "./narrator.js";
import { Notes } from "./notes.js";
import { Numbering } from "./numbering.js";
import { Obstacles } from "./obstacles.js";
import { Passage } from "./passage.js";
import { Pausing } from "./pausing.js";
import { nameOf, Resumption } from "./resumption.js";
import { RunTree } from "./run-tree.js";
import { giveBack, Seeding } from "./seeding.js";
import { checkOptions } from "./step-options.js";
import { checkpointFact, type StepEnd, tellEnd, tellLost, tellSkipped, tellTrace } from "./tell-step.js";
import { Tries } from "./tries.js";
import { untraced } from "./untraced.js";

/** What a step is before it begins. */
export interface StepPlan {
  kind: StepKind;
  key: string;
  options: StepOptions;
  /** Shown as the step's input. */
  input: Json;
  /** Set for a step that only waits: what for; undefined when that is there already. */
  waiting?: ((step: StepRef) => WaitingFor | undefined) | undefined;
  /** What is done has a time limit of its own: it does not count for the run's. */
  apart?: boolean;
  /** Steps of their own do all of it: while they wait, it does, too. */
  gathers?: boolean;
  /** Why it was stopped, when that was not with its run. */
  stopped?: () => string | undefined;
}

/** Where code stands: inside a step, on one of its tries. */
export interface Place {
  step: StepRef;
  /** The try's number when it began; `lost` tries were added to it since. */
  attempt: number;
  lost: number;
  /** When the try began, where its work is done by several activities. */
  since?: string;
  /** It began in an earlier execution to wait for this, and goes on. */
  wait?: OpenWait;
}

/** Does a step's work once, and gives what it left. Thrown: the try failed. */
export type Work<Value> = (place: Place) => Promise<Outcome<Value>>;

/**
 * The step engine: numbers, the pause gate, retries, facts and checkpoints. Everything a run does goes
 * through `step`; what a step does inside goes through `operation`.
 */
export class Engine {
  readonly notes: Notes;
  readonly looks: Looks;
  readonly obstacles = new Obstacles(this);
  private readonly tries = new Tries(this);
  readonly approvals: Approvals;
  readonly mailbox: Mailbox;
  readonly budgets: Budgets;
  readonly children = new Children();
  readonly controls = new Controls();
  readonly pausing: Pausing;
  /** What people were told once about the run, and need not be told again. */
  readonly noticed = new Set<string>();
  /** Rules of what people have allowed agents for the whole run. */
  readonly permits: Set<string>;
  /** Why the run of a plan does not go on in a further execution, although this one has become long. */
  heldBack: string | undefined;
  readonly passage: Passage;
  readonly resumption: Resumption | undefined;
  readonly endings: Endings;
  private readonly began: number;
  private readonly numbering: Numbering;
  readonly tree: RunTree;
  private readonly seeding: Seeding | undefined;
  private readonly places = new AsyncLocalStorage<Place>();
  /** Set for steps that one gathers whose end is looked for: they are taken as they ended, and none of them begins. */
  private readonly gathered = new AsyncLocalStorage<true>();
  private readonly results = new Map<string, StepResult>();
  private readonly rowIds = new Map<string, string>();
  private readonly open = new Set<Promise<unknown>>();
  private phase: string | null;
  /** The step that has completed last. */
  latest: StepRef | undefined;

  constructor(
    readonly spec: RunSpec,
    readonly narrator: Narrator,
    readonly life: Life,
  ) {
    const before = spec.continued?.engine;
    this.pausing = new Pausing(narrator, life, this.controls);
    const done = spec.continued?.done;
    this.phase = before && !done ? before.phase : (spec.phases[0] ?? null);
    this.began = done?.began ?? Date.now();
    this.notes = new Notes(this, before, done);
    this.looks = new Looks(this, [...(done?.looks ?? [])]);
    const longAfter = spec.program.kind === "code" ? (spec.continue_after ?? 4_000) : Number.POSITIVE_INFINITY; // a plan says itself when
    this.passage = new Passage(life, longAfter, () => this.obstacles.first());
    this.endings = new Endings(() => this.passage.isFrozen, this.began);
    this.resumption = done && new Resumption(spec.run_id, done, this.endings, () => this.looks.underWay);
    this.approvals = new Approvals(spec.run_id, narrator, life);
    this.mailbox = new Mailbox(before?.events);
    this.permits = new Set(before?.permits);
    const { program } = spec;
    const budget = program.kind === "plan" ? program.plan.budget : undefined; // code says its own as it is evaluated
    this.budgets = new Budgets(spec.run_id, spec.budgets, budget, before?.budgets);
    this.numbering = new Numbering(spec.run_id, before && done ? { ...before, iterations: {} } : before);
    this.tree = new RunTree(this.run, before?.opened ?? false);
    this.seeding = spec.seed && new Seeding(spec.seed);
    if (before && !done) this.latest = before.latest ?? undefined;
  }

  /** Go the way again that the run has gone in earlier executions, while its program is carried out from the beginning. */
  async resume(): Promise<void> {
    if (!this.resumption) return;
    await this.resumption.goAgain();
    this.passage.begin();
    await afterwards();
    this.life.begin();
  }

  /** The run is between two executions: what is to be decided here has to be asked for again. */
  get isPassing(): boolean {
    return this.passage.isFrozen || this.resumption?.isOver === false;
  }

  /** Resolves when the run is to go on in a further execution, and nothing goes on in this one any more. */
  async passes(): Promise<void> {
    const isStill = () => this.endings.isEmpty && this.resumption?.isOver !== false;
    await CancellationScope.nonCancellable(() => condition(() => this.passage.passes(isStill())));
  }

  /** The moment as the program sees it. */
  now(): number {
    return this.resumption?.isOver === false ? this.resumption.now : Date.now();
  }

  /** What the program has done, for an execution in which it is carried out from its beginning. */
  done(): Done {
    const { began } = this;
    const { asides, setters } = this.notes.counts();
    const { order, times } = this.endings;
    const waits = [...this.passage.waits.values()].map((wait): OpenWait => {
      const { id } = wait.step;
      return { ...wait, waiting_for: this.life.waitOf(id) ?? wait.waiting_for, ...this.approvals.handOver(id) };
    });
    return { order, times, began, setters, asides, looks: this.looks.given, waits };
  }

  /** All that the run's next execution needs to number and name on. */
  handOver(): EngineState {
    const { phase, latest = null } = this;
    const { state } = this.notes;
    const { comments, labels } = this.notes.counts();
    const kept = {
      comments,
      labels,
      phase,
      latest,
      state,
      opened: this.tree.isOpen,
      events: this.mailbox.handOver(),
      permits: [...this.permits],
      budgets: this.budgets.handOver(),
    };
    if (this.spec.program.kind === "code")
      return { ...this.numbering.handOver(), ...kept, iterations: {}, state: {}, latest: null };
    return { ...this.numbering.handOver(), ...kept };
  }

  /** Nothing of the run is under way. */
  get isIdle(): boolean {
    return this.open.size === 0;
  }

  /** The step whose code runs now, if any. */
  get place(): Place | undefined {
    return this.places.getStore();
  }

  get run(): RunRef {
    const { run_id, project_id, project_path, workspace } = this.spec;
    return { run_id, project_id, project_path, workspace };
  }

  /**
   * Do one step: number it, wait while the run is paused, try it as often as its policy says, tell all of it.
   *
   * Called inside another step it is an operation of that step: done once, logged, not numbered.
   *
   * @throws {StepFailed} when its last try has failed.
   */
  step<Value>(plan: StepPlan, work: Work<Value>): Promise<Value> {
    const place = this.place;
    const at = this.whereInCode();
    const begin = () => this.track(place ? this.operation(plan, place, work) : this.numbered(plan, work, at));
    return plan.kind === "function" ? begin() : untraced(begin);
  }

  /** Run `fn` as the code of the given step's try. */
  inside<T>(place: Place, fn: () => Promise<T>): Promise<T> {
    return this.places.run(place, fn);
  }

  /** A step's try waits in the middle of what it does; and while the run is paused. */
  async standStill<T>({ step }: Place, waiting_for: WaitingFor, wait: () => Promise<T>): Promise<T> {
    this.narrator.tell({ type: "step.waiting", step_id: step.id, waiting_for });
    const goOn = this.life.standStill(step.id, waiting_for);
    try {
      const result = await wait();
      await this.life.gate();
      this.narrator.tell({ type: "step.resumed", step_id: step.id });
      return result;
    } finally {
      goOn();
    }
  }

  /** Resolves when nothing of the run is under way any more. */
  async idle(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open);
  }

  /** The run's tree; made by the first step that asks. */
  workspace(): Promise<void> {
    return this.tree.open();
  }

  result(key: string): StepResult | undefined {
    return this.results.get(key);
  }

  /** The row id of the latest step with this key; null when there is none. */
  stepId(key: string): string | null {
    return this.rowIds.get(key) ?? null;
  }

  get current(): StepRef | undefined {
    return this.place?.step ?? this.latest;
  }

  /** Under way until it settles. Whoever does not wait for one that fails is not harmed by it. */
  private track<Value>(doing: Promise<Value>): Promise<Value> {
    const over = () => void this.open.delete(settled);
    const settled = doing.then(over, over);
    this.open.add(settled);
    return doing;
  }

  /** The line of the author's code that asks for a step; null where nobody wants to know. */
  private whereInCode(): ReturnType<typeof placeOf> {
    const { placed, program } = this.spec;
    return placed && program.kind === "code" ? placeOf(new Error(), program) : null;
  }

  private async numbered<Value>(plan: StepPlan, work: Work<Value>, at: ReturnType<typeof placeOf>): Promise<Value> {
    const { kind, key, options } = plan;
    checkOptions(key, options);
    const { resumption } = this;
    const taken = resumption?.isOver === false ? await this.takeUp(plan, work, resumption) : undefined;
    if (taken?.isOver) return taken.value;
    if (this.gathered.getStore()) {
      if (taken) this.numbering.uncount(key);
      throw new CancelledFailure("It begins with the step that gathers it.");
    }
    const wait = taken?.wait;
    // One that is stopped at the gate has no number: numbers have no gap.
    if (!wait && this.passage.isShut && (options.if !== false || !this.life.isPaused)) await this.passage.enter();
    const phase = options.phase ?? this.phase;
    const step = wait?.step ?? this.numbering.next(kind, key, { name: options.name, phase }, taken?.iteration);
    if (options.if === false) return (await this.skip(step, plan)) as Value;

    refuseLongHistory(this.passage.heldBack ?? this.heldBack);
    this.enterPhase(step, { silently: wait !== undefined });

    const policy = policyOf(options.retry);
    this.rowIds.set(step.key, step.id);
    if (wait) return this.tries.make(plan, step, work, [wait.attempt, policy], wait);
    const place = at ? { place: at } : {};
    this.narrator.tell({ type: "step.started", step, max_attempts: policy.maxAttempts ?? 1, input: plan.input, ...place });
    const ended = this.seeding && (await this.seeding.take(step, plan.gathers));
    if (!ended) return this.tries.make(plan, step, work, [1, policy]);
    const again = giveBack<Value>(this, ended);
    return this.tries.make({ ...plan, waiting: undefined }, step, again, [ended.attempt, { maxAttempts: 1 }]);
  }

  /** A step that the program comes to for the second time: as it ended, or with the wait that it had begun; else it is a new one. */
  private async takeUp<Value>(plan: StepPlan, work: Work<Value>, resumption: Resumption): Promise<Taken<Value>> {
    const { kind, key, options } = plan;
    const iteration = this.numbering.count(key);
    const name = nameOf(key, iteration);
    // Its steps are taken one by one, as they ended, and it ends when they do.
    const gather = () => settled(work({ step: this.numbering.refOf(0, kind, key, {}, iteration), attempt: 1, lost: 0 }));
    const gathered = plan.gathers ? this.gathered.run(true, gather) : undefined;
    const ended = await resumption.take(name);
    if (!ended) {
      await gathered; // had it ended they would have, too: all of them begin anew
      return { isOver: false, iteration, wait: resumption.waitOf(name) };
    }
    const phase = options.phase ?? this.phase;
    const step = this.numbering.refOf(ended.number, kind, key, { name: options.name, phase }, iteration);
    if (ended.status !== "skipped") {
      this.enterPhase(step, { silently: true });
      this.rowIds.set(key, step.id);
    }
    if (ended.status === "skipped" && options.if !== false && this.spec.program.kind === "plan")
      throw new SkippedByHand(`${key} was skipped.`);
    if (ended.state) this.notes.replaceState(ended.state);
    const outcome = await gathered;
    if (outcome && ended.status === "completed") ended.output = outcome.value as Json;
    return { isOver: true, value: this.again(step, ended) as Value };
  }

  /** What a step gave, or how it failed, once more. */
  private again(step: StepRef, { status, output, error }: DoneStep): unknown {
    const { key } = step;
    if (status === "cancelled") throw new CancelledFailure(error?.message ?? "The run was stopped.");
    if (status === "skipped") return this.leaveOut(step);
    if (status === "failed") {
      const { type, message } = error ?? { type: "error", message: "" };
      this.results.set(key, { stepId: key, status, data: output, error: message });
      throw new StepFailed(key, type, message, output ?? undefined);
    }
    this.results.set(key, { stepId: key, status, data: output });
    this.latest = step;
    return output;
  }

  /** A try is under way, or waits, until the returned function is called. */
  begin(plan: StepPlan, { step, attempt, wait }: Place, began: string): () => void {
    if (plan.gathers) return this.passage.busy(plan);
    const waiting_for = wait?.waiting_for ?? plan.waiting?.(step);
    if (!waiting_for) return both(this.passage.busy(), this.life.busy(plan));
    if (!wait) this.narrator.tell({ type: "step.waiting", step_id: step.id, waiting_for });
    this.passage.waits.set(step.number, { step, attempt, began, waiting_for });
    return both(() => void this.passage.waits.delete(step.number), this.life.waiting(step.id, waiting_for));
  }

  private async operation<Value>(plan: StepPlan, place: Place, work: Work<Value>): Promise<Value> {
    checkOptions(plan.key, plan.options);
    const { step, attempt } = place;
    const say = (level: "info" | "warn", text: string) =>
      this.narrator.tell({ type: "log", level, text: `${plan.kind} ${plan.key}: ${text}`, step_id: step.id, attempt });
    try {
      const outcome = await this.pausing.inside(plan, place, work);
      tellLost(this.narrator, place, outcome);
      tellTrace(this.narrator, outcome);
      say("info", "done");
      return outcome.value;
    } catch (thrown) {
      if (isCancellation(thrown)) throw thrown;
      const { error, detail, output } = readFailure(thrown);
      if (detail) {
        tellLost(this.narrator, place, detail);
        tellTrace(this.narrator, detail);
      }
      say("warn", error.message);
      throw new StepFailed(plan.key, error.type, error.message, output);
    }
  }

  private enterPhase(step: StepRef, { silently }: { silently: boolean }): void {
    if (step.phase === this.phase || step.phase === null) return;
    this.phase = step.phase;
    if (!silently) this.narrator.tell({ type: "run.phase", phase: step.phase });
  }

  private async skip(step: StepRef, plan: StepPlan): Promise<undefined> {
    await this.endings.turn(step.number);
    tellSkipped(this.narrator, step, plan.input);
    this.leaveOut(step);
    return undefined;
  }

  /** A step was not done. */
  leaveOut({ key }: StepRef): void {
    this.results.set(key, { stepId: key, status: "skipped" });
  }

  /** A step has completed with what this says. */
  complete(place: Place, outcome: Outcome<unknown>): void {
    const { step } = place;
    const { value, completed_at } = outcome;
    if (step.kind === "function" && this.spec.program.kind === "code") this.obstacles.weigh(step, value);
    const started_at = place.wait?.began ?? outcome.started_at;
    tellTrace(this.narrator, outcome);
    this.results.set(step.key, { stepId: step.key, status: "completed", data: value });
    this.latest = step;
    const output = (value ?? null) as Json; // activities return JSON; a function's value is checked by `asJson`
    tellEnd(this.narrator, place, { status: "completed", output, error: null, started_at, completed_at });
    this.narrator.tell(checkpointFact(this.spec.run_id, step, { outcome }), outcome.completed_at);
  }

  /** A step has failed. @returns what its caller gets to know of it */
  fail(place: Place, status: StepEnd["status"], failure: StepFailure, begun: string): StepFailed {
    const { key } = place.step;
    const { error, detail } = failure;
    if (detail) tellTrace(this.narrator, detail);
    const started_at = place.since ?? detail?.started_at ?? begun;
    const completed_at = detail?.completed_at ?? new Date().toISOString();
    const output = (failure.output ?? null) as Json; // from an activity's failure: JSON
    this.results.set(key, { stepId: key, status: "failed", data: output, error: error.message });
    tellEnd(this.narrator, place, { status, output, error, started_at, completed_at });
    return new StepFailed(key, error.type, error.message, failure.output);
  }
}

/** What has become of a step that the program comes to for the second time. */
type Taken<Value> = { isOver: true; value: Value } | { isOver: false; iteration: number; wait: OpenWait | undefined };

/** Fails nowhere: what is thrown is known already. */
function settled<T>(doing: Promise<T>): Promise<T | undefined> {
  return doing.catch(() => undefined);
}

function both(one: () => void, other: () => void): () => void {
  return () => {
    one();
    other();
  };
}
