import { CancellationScope, isCancellation, sleep } from "@temporalio/workflow";

/** Counts down while it goes, as a timer of Temporal's; what is left is kept while it stands still. */
export class Clock {
  private scope: CancellationScope | undefined;
  private began = 0;

  /**
   * @param left milliseconds; 0: it never is over
   * @param summary what its bar says on Temporal's page
   */
  constructor(
    private left: number,
    private readonly summary: string,
    private readonly onOver: () => void,
  ) {}

  /** Milliseconds; 0: it has no limit. */
  get remaining(): number {
    return this.left;
  }

  start(): void {
    if (this.left <= 0 || this.scope) return;
    const scope = new CancellationScope();
    this.scope = scope;
    this.began = Date.now();
    scope
      .run(() => sleep(this.left, { summary: this.summary }))
      .then(this.onOver)
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
  }

  stop(): void {
    if (!this.scope) return;
    this.left = Math.max(1, this.left - (Date.now() - this.began));
    this.scope.cancel();
    this.scope = undefined;
  }
}
