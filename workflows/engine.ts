import { AsyncLocalStorage, isCancellation, sleep } from "@temporalio/workflow";
import type { Outcome, RunRef } from "../contract/activity.js";
import type { EngineState } from "../contract/continuation.js";
import type { StepRef } from "../contract/fact.js";
import type { Json, JsonObject } from "../contract/json.js";
import { isRetryable, policyOf, type RetryPolicy, retryDelay } from "../contract/retry.js";
import type { WaitingFor } from "../contract/run.js";
import type { RunSpec } from "../contract/run-spec.js";
import type { StepKind } from "../contract/step.js";
import type { StepOptions, StepResult } from "../sdk/context.js";
import { placeOf } from "../sdk/evaluate.js";
import { StepFailed } from "../sdk/step-failed.js";
import { Approvals } from "./approvals.js";
import { Budgets } from "./budgets.js";
import { Children } from "./child.js";
import { Controls, Decided, type OpenStep, SkippedByHand } from "./controls.js";
import { readFailure, type StepFailure } from "./failure.js";
import { refuseLongHistory } from "./history-limit.js";
import type { Life } from "./life.js";
import { Mailbox } from "./mailbox.js";
import type { Narrator } from "./narrator.js";
import { Numbering } from "./numbering.js";
import { Pausing } from "./pausing.js";
import { RunTree } from "./run-tree.js";
import { giveBack, Seeding } from "./seeding.js";
import { checkOptions } from "./step-options.js";
import { tellSkippedByHand, textOfHand } from "./tell-by-hand.js";
import { type StepEnd, tellCheckpoint, tellEnd, tellFailedTry, tellLost, tellSkipped, tellTrace } from "./tell-step.js";
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
}

/** Does a step's work once, and gives what it left. Thrown: the try failed. */
export type Work<Value> = (place: Place) => Promise<Outcome<Value>>;

/**
 * The step engine: numbers, the pause gate, retries, facts and checkpoints. Everything a run does goes
 * through `step`; what a step does inside goes through `operation`.
 */
export class Engine {
  readonly state: JsonObject = {};
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
  /** Why the run does not go on in a further execution, although this one has become long. */
  heldBack: string | undefined;
  private readonly numbering: Numbering;
  private readonly tree: RunTree;
  private readonly seeding: Seeding | undefined;
  private readonly places = new AsyncLocalStorage<Place>();
  private readonly results = new Map<string, StepResult>();
  private readonly rowIds = new Map<string, string>();
  private readonly open = new Set<Promise<unknown>>();
  private comments = 0;
  private labels = 0;
  private phase: string | null;
  private latest: StepRef | undefined;

  constructor(
    readonly spec: RunSpec,
    readonly narrator: Narrator,
    readonly life: Life,
  ) {
    const before = spec.continued?.engine;
    this.pausing = new Pausing(narrator, life, this.controls);
    this.phase = before ? before.phase : (spec.phases[0] ?? null);
    this.approvals = new Approvals(spec.run_id, narrator, life);
    this.mailbox = new Mailbox(before?.events);
    this.permits = new Set(before?.permits);
    const { program } = spec;
    const budget = program.kind === "plan" ? program.plan.budget : undefined; // code says its own as it is evaluated
    this.budgets = new Budgets(spec.run_id, spec.budgets, budget, before?.budgets);
    this.numbering = new Numbering(spec.run_id, before);
    this.tree = new RunTree(this.run, before?.opened ?? false);
    this.seeding = spec.seed && new Seeding(spec.seed);
    if (!before) return;
    this.comments = before.comments;
    this.labels = before.labels;
    this.latest = before.latest ?? undefined;
    Object.assign(this.state, before.state);
  }

  /** All that the run's next execution needs to number and name on. */
  handOver(): EngineState {
    const { comments, labels, phase, latest = null, state } = this;
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

  /**
   * A look at the run's tree: no step, nothing told. Waits while the run is paused.
   *
   * @throws {StepFailed} when it cannot be read.
   */
  async read<Value>(key: string, work: Work<Value>): Promise<Value> {
    await this.life.gate();
    const none: StepRef = { id: `${this.spec.run_id}-0`, number: 0, key, name: key, phase: null, kind: "files", iteration: 1 };
    const done = this.life.busy();
    try {
      return (await work(this.place ?? { step: none, attempt: 1, lost: 0 })).value;
    } catch (thrown) {
      if (isCancellation(thrown)) throw thrown;
      const { error, output } = readFailure(thrown);
      this.tree.forgetWhenLost(error);
      throw new StepFailed(key, error.type, error.message, output);
    } finally {
      done();
    }
  }

  result(key: string): StepResult | undefined {
    return this.results.get(key);
  }

  comment(text: string, stepId: string | null, metadata: JsonObject = {}): void {
    const id = `${this.spec.run_id}-c${++this.comments}`;
    const comment = { id, run_id: this.spec.run_id, step_id: stepId, text, metadata, created_by: null };
    this.narrator.tell({ type: "comment.created", comment: { ...comment, comment_type: "system" } });
  }

  /** The row id of the latest step with this key; null when there is none. */
  stepId(key: string): string | null {
    return this.rowIds.get(key) ?? null;
  }

  get current(): StepRef | undefined {
    return this.place?.step ?? this.latest;
  }

  tellState(): void {
    this.narrator.tell({ type: "run.state", state: { ...this.state } });
  }

  /** Nothing happens when it is so already. */
  setState(state: JsonObject): void {
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    for (const key of Object.keys(this.state)) delete this.state[key];
    Object.assign(this.state, state);
    this.tellState();
  }

  /** A checkpoint that the author asked for, at the last finished step. */
  mark(label: string | null): void {
    if (!this.latest) return;
    const named = label ?? `checkpoint ${++this.labels}`;
    tellCheckpoint(this.narrator, this.spec.run_id, this.latest, { asked: { label: named, number: ++this.labels } });
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
    // One that is stopped at the gate has no number: numbers have no gap.
    if (options.if !== false && this.life.isPaused) await this.life.gate();
    const step = this.numbering.next(kind, key, { name: options.name, phase: options.phase ?? this.phase });
    if (options.if === false) return this.skip(step, plan) as Value;

    refuseLongHistory(this.heldBack);
    this.enterPhase(step);

    const policy = policyOf(options.retry);
    const place = at ? { place: at } : {};
    this.narrator.tell({ type: "step.started", step, max_attempts: policy.maxAttempts ?? 1, input: plan.input, ...place });
    this.rowIds.set(step.key, step.id);
    const ended = await this.seeding?.take(step, plan.gathers);
    if (ended)
      return this.attempts({ ...plan, waiting: undefined }, step, giveBack<Value>(this, ended), [
        ended.attempt,
        { maxAttempts: 1 },
      ]);
    return this.attempts(plan, step, work, [1, policy]);
  }

  /** Try a step as often as its policy says, from the number given on. */
  private async attempts<Value>(
    plan: StepPlan,
    step: StepRef,
    work: Work<Value>,
    [first, policy]: [number, RetryPolicy],
  ): Promise<Value> {
    const open = this.controls.begin(step);
    try {
      return await this.tries(plan, open, work, [first, policy]);
    } finally {
      this.controls.end(open);
    }
  }

  private async tries<Value>(
    plan: StepPlan,
    open: OpenStep,
    work: Work<Value>,
    [first, policy]: [number, RetryPolicy],
  ): Promise<Value> {
    const { step } = open;
    const tries = policy.maxAttempts ?? 1;
    const began = new Date().toISOString();
    let number = first;
    for (let tried = 1; ; tried++, number++) {
      const place: Place = { step, attempt: number, lost: 0 };
      const begun = new Date().toISOString();
      const done = this.begin(step, plan);
      try {
        const outcome = await this.pausing.try(plan, place, work, open);
        tellLost(this.narrator, place, outcome);
        this.complete(place, outcome);
        return outcome.value;
      } catch (thrown) {
        if (thrown instanceof Decided) return this.byHand<Value>(place, thrown, began);
        const failure = readFailure(thrown);
        this.tree.forgetWhenLost(failure.error);
        if (failure.detail) tellLost(this.narrator, place, failure.detail);
        number = place.attempt + place.lost;
        if (isCancellation(thrown)) {
          const message = plan.stopped?.() ?? "The run was stopped.";
          this.fail(place, "cancelled", { ...failure, error: { type: "cancelled", message } }, begun);
          throw thrown;
        }
        if (tried >= tries || !isRetryable(policy, failure.error.type)) throw this.fail(place, "failed", failure, begun);
        const stopped = await this.backOff(place, failure, begun, retryDelay(policy, tried)).catch((stop: unknown) => {
          if (stop instanceof Decided) return stop;
          const message = isCancellation(stop) ? plan.stopped?.() : undefined;
          if (message !== undefined) this.fail(place, "cancelled", { ...failure, error: { type: "cancelled", message } }, begun);
          throw stop; // the end of a run settles its steps
        });
        if (stopped) return this.byHand<Value>(place, stopped, began);
      } finally {
        done();
      }
    }
  }

  /** A step as a person has decided about it. */
  private byHand<Value>(place: Place, { asked, left }: Decided, began: string): Value {
    const { step } = place;
    if (left?.detail) {
      tellLost(this.narrator, place, left.detail);
      tellTrace(this.narrator, left.detail);
    }
    const { action, by, reason = null } = asked;
    this.comment(textOfHand(asked, step), step.id, { by_hand: action, by, reason });
    const started_at = place.since ?? left?.detail?.started_at ?? began;
    if (action === "complete") {
      const value = (asked.output ?? null) as Value; // the API has seen to its shape
      this.complete(place, { value, started_at, completed_at: new Date().toISOString(), lost: [] });
      return value;
    }
    this.results.set(step.key, { stepId: step.key, status: "skipped" });
    this.latest = step;
    tellSkippedByHand(this.narrator, place, started_at);
    if (this.spec.program.kind === "code") return undefined as Value; // as one that its author has switched off
    throw new SkippedByHand(`${step.key} was skipped.`);
  }

  private begin(step: StepRef, plan: StepPlan): () => void {
    if (plan.gathers) return () => {};
    const waiting_for = plan.waiting?.(step);
    if (!waiting_for) return this.life.busy(plan);
    this.narrator.tell({ type: "step.waiting", step_id: step.id, waiting_for });
    return this.life.waiting(step.id, waiting_for);
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

  private enterPhase(step: StepRef): void {
    if (step.phase === this.phase || step.phase === null) return;
    this.phase = step.phase;
    this.narrator.tell({ type: "run.phase", phase: step.phase });
  }

  private skip(step: StepRef, plan: StepPlan): undefined {
    tellSkipped(this.narrator, step, plan.input);
    this.results.set(step.key, { stepId: step.key, status: "skipped" });
    return undefined;
  }

  private complete(place: Place, outcome: Outcome<unknown>): void {
    const { step } = place;
    const { value, started_at, completed_at } = outcome;
    tellTrace(this.narrator, outcome);
    this.results.set(step.key, { stepId: step.key, status: "completed", data: value });
    this.latest = step;
    const output = (value ?? null) as Json; // activities return JSON; a function's value is checked by `asJson`
    tellEnd(this.narrator, place, { status: "completed", output, error: null, started_at, completed_at });
    tellCheckpoint(this.narrator, this.spec.run_id, step, { outcome });
  }

  private fail(place: Place, status: StepEnd["status"], failure: StepFailure, begun: string): StepFailed {
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

  private async backOff(place: Place, failure: StepFailure, begun: string, delay: number): Promise<void> {
    const { step, attempt, lost } = place;
    const open = this.controls.of(step);
    tellFailedTry(this.narrator, place, failure, { begun, delay });
    await this.controls.guard(open, { stops: false }, async () => {
      const summary = `${step.name}: before try ${attempt + lost + 1}`;
      await this.controls.untilRetried(step.id, () => sleep(delay, { summary }));
      await this.life.gate();
    });
  }
}
