import type { EngineState } from "../contract/continuation.js";
import type { FactBody } from "../contract/fact.js";
import type { JsonObject } from "../contract/json.js";
import type { Done } from "../contract/seed.js";
import type { Engine } from "./engine.js";
import { checkpointFact } from "./tell-step.js";

/** What a run says besides its steps: its state, comments, and the checkpoints that its author asks for. */
export class Notes {
  readonly state: JsonObject = {};
  private readonly setters: Set<number>;
  private asides = 0;
  private comments: number;
  private labels: number;

  /** @param before how the run's execution before this one left it; `done`: its program is carried out from the beginning */
  constructor(
    private readonly engine: Engine,
    before: EngineState | undefined,
    done: Done | undefined,
  ) {
    this.setters = new Set(done?.setters);
    this.comments = before?.comments ?? 0;
    this.labels = before?.labels ?? 0;
    if (before && !done) Object.assign(this.state, before.state);
  }

  /** The program tells something, once, however often it is carried out. @param body made when it is told */
  aside(body: () => FactBody): void {
    const { place, resumption, narrator } = this.engine;
    if (place === undefined) {
      this.asides++;
      if (resumption?.tells() === false) return;
    }
    narrator.tell(body());
  }

  comment(text: string, stepId: string | null, metadata: JsonObject = {}): void {
    this.aside(() => this.commentFact(text, stepId, metadata));
  }

  /** Something that no program says, so that it does not come again with it. */
  tellComment(text: string, stepId: string, metadata: JsonObject): void {
    this.engine.narrator.tell(this.commentFact(text, stepId, metadata));
  }

  /** The program has set the run's state. */
  tellState(): void {
    const { place } = this.engine;
    if (place?.step.kind === "function") this.setters.add(place.step.number);
    this.aside(() => ({ type: "run.state", state: { ...this.state } }));
  }

  /** Nothing happens when it is so already. */
  setState(state: JsonObject): void {
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.replaceState(state);
    this.engine.narrator.tell({ type: "run.state", state: { ...this.state } });
  }

  /** Without a word: it was told. */
  replaceState(state: JsonObject): void {
    for (const key of Object.keys(this.state)) delete this.state[key];
    Object.assign(this.state, state);
  }

  /** A checkpoint that the author asked for, at the last finished step. */
  mark(label: string | null): void {
    const { latest, spec } = this.engine;
    if (!latest) return;
    this.aside(() => {
      const number = ++this.labels;
      return checkpointFact(spec.run_id, latest, { asked: { label: label ?? `checkpoint ${number}`, number } });
    });
  }

  /** What the run's next execution needs to count on. */
  counts(): Pick<EngineState, "comments" | "labels"> & Required<Pick<Done, "asides" | "setters">> {
    const { comments, labels, asides, setters } = this;
    return { comments, labels, asides, setters: [...setters] };
  }

  private commentFact(text: string, stepId: string | null, metadata: JsonObject): FactBody {
    const { run_id } = this.engine.spec;
    const id = `${run_id}-c${++this.comments}`;
    const comment = { id, run_id, step_id: stepId, text, metadata, created_by: null };
    return { type: "comment.created", comment: { ...comment, comment_type: "system" } };
  }
}
