import { CancellationScope } from "@temporalio/workflow";
import type { RunRef } from "../contract/activity.js";
import type { StepError } from "../contract/step.js";
import { activitiesFor } from "./proxies.js";

/** The run's tree, made by the first step that asks. */
export class RunTree {
  private opened: Promise<void> | undefined;
  /** Of the run: the step that asks first may be stopped while others wait for the tree. */
  private readonly scope = CancellationScope.current();

  /** @param isOpen an execution of the run before this one has made it. */
  constructor(
    private readonly run: RunRef,
    isOpen: boolean,
  ) {
    if (isOpen) this.opened = Promise.resolve();
  }

  get isOpen(): boolean {
    return this.opened !== undefined;
  }

  open(): Promise<void> {
    if (this.opened) return this.opened;
    const opened = this.scope.run(() => activitiesFor("workspace", {}).openWorkspace(this.run)).then(() => undefined);
    opened.catch(() => {
      this.opened = undefined; // the next step that needs it tries again
    });
    this.opened = opened;
    return opened;
  }

  /** A tree that has vanished is opened anew by the next step or read. */
  forgetWhenLost({ type }: StepError): void {
    if (type === "workspace_missing") this.opened = undefined;
  }
}
