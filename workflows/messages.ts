import { ApplicationFailure, defineQuery, defineSignal, defineUpdate, setHandler } from "@temporalio/workflow";
import {
  type Answered,
  type AnswerMessage,
  type ArtifactMessage,
  type CheckpointMessage,
  type CommentMessage,
  type DelegateMessage,
  type EventMessage,
  isUnverified,
  type LabelMessage,
  PASSING,
  type Request,
  type SessionMessage,
  SIGNAL,
  type StepMessage,
  UPDATE,
} from "../contract/messages.js";
import type { Engine } from "./engine.js";

/** What reaches a run from outside. A signal that Longhaul did not sign does nothing but leave its mark. */
export function listen(engine: Engine): void {
  const { narrator, life, children } = engine;

  on<Request>(SIGNAL.pause, (request) => {
    life.pause(request);
    children.pause(request);
  });
  on<Request>(SIGNAL.resume, (request) => {
    life.resume(request);
    if (!life.isPaused) children.resume(request);
  });
  // The reason alone: the cancel itself is Temporal's own, which comes right after.
  on<Request>(SIGNAL.cancel, ({ reason, at }) => {
    const text = reason ? `Cancelled: ${reason}` : "Cancelled";
    narrator.tell({ type: "log", level: "info", text, step_id: null, attempt: 1 }, at);
  });
  on<CommentMessage>(SIGNAL.comment, ({ comment, at }) => narrator.tell({ type: "comment.created", comment }, at));
  on<ArtifactMessage>(SIGNAL.artifact, ({ artifact, at }) => narrator.tell({ type: "artifact.created", artifact }, at));
  on<{ id: string; at: string; artifact_id: string; comment_id: string | null }>(SIGNAL.attach, ({ id, at, ...attach }) =>
    narrator.tell({ type: "artifact.attached", request: id, ...attach }, at),
  );
  on<CheckpointMessage>(SIGNAL.checkpoint, ({ id, at, checkpoint_id, step, label }) => {
    const mark = { id: checkpoint_id, step, label, created_by: "user" as const, tree: null, request: id };
    narrator.tell({ type: "checkpoint.created", ...mark }, at);
  });
  on<LabelMessage>(SIGNAL.label, ({ id, at, checkpoint_id, label }) =>
    narrator.tell({ type: "checkpoint.labelled", checkpoint_id, label, request: id }, at),
  );
  on<SessionMessage>(SIGNAL.session, ({ session, at }) => narrator.tell({ type: "session.updated", session }, at));
  on<EventMessage>(SIGNAL.event, (event) => {
    if (!engine.mailbox.deliver(event)) return;
    narrator.tell({ type: "log", level: "info", text: `event ${event.name} came`, step_id: null, attempt: 1 }, event.at);
  });
  decide<AnswerMessage, Answered>(UPDATE.answer, {
    check: (message) => engine.approvals.check(message),
    handle: (message) => engine.approvals.answer(message),
  });
  decide<DelegateMessage, Answered>(UPDATE.delegate, {
    check: (message) => engine.approvals.checkDelegation(message),
    handle: (message) => engine.approvals.delegate(message),
  });
  decide<StepMessage, { step_id: string }>(UPDATE.step, {
    check: (message) => engine.controls.check(message),
    handle: (message) => engine.controls.decide(message),
  });
  setHandler(defineQuery("state"), () => engine.notes.state);

  function on<Message>(name: string, handle: (message: Message) => void): void {
    setHandler(defineSignal<[Message]>(name), (message) => {
      if (isUnverified(message)) narrator.tell({ type: "forgery.refused", what: name });
      else handle(message);
    });
  }

  /** `check` throws to refuse a message, which then leaves nothing; `handle` says what became of it. */
  function decide<Message, Answer>(
    name: string,
    { check, handle }: { check: (message: Message) => void; handle: (message: Message) => Answer },
  ): void {
    const validator = (message: Message) => {
      if (isUnverified(message)) return;
      if (engine.isPassing) throw ApplicationFailure.nonRetryable("The run passes to its next execution.", PASSING);
      check(message);
    };
    const handler = (message: Message) => {
      if (!isUnverified(message)) return handle(message);
      narrator.tell({ type: "forgery.refused", what: name });
      throw ApplicationFailure.nonRetryable("This message was not signed by Longhaul.", "unverified");
    };
    setHandler(defineUpdate<Answer, [Message]>(name), handler, { validator });
  }
}
