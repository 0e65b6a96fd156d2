import { defineQuery, defineSignal, setHandler } from "@temporalio/workflow";
import { type ArtifactMessage, type CommentMessage, isUnverified, type Request, SIGNAL } from "../contract/messages.js";
import type { Engine } from "./engine.js";

/** What reaches a run from outside. A signal that Longhaul did not sign does nothing but leave its mark. */
export function listen(engine: Engine): void {
  const { narrator, life } = engine;

  on<Request>(SIGNAL.pause, (request) => life.pause(request));
  on<Request>(SIGNAL.resume, (request) => life.resume(request));
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
  setHandler(defineQuery("state"), () => engine.state);

  function on<Message>(name: string, handle: (message: Message) => void): void {
    setHandler(defineSignal<[Message]>(name), (message) => {
      if (isUnverified(message)) narrator.tell({ type: "forgery.refused", what: name });
      else handle(message);
    });
  }
}
