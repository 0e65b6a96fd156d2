/** What a process that waits for its work has to tell. */
export interface Standby {
  readonly alive: boolean;
}

/** So much later than the last one was taken: what that one was taken for has the machine to itself. */
const AFTER_MS = 300;

/**
 * Starts ahead of its need what takes long to start. The first is started when it is asked for; from then on one waits. It is
 * the starter's part that a waiting one keeps nobody alive, and ends with this process.
 */
export class Spare<Process extends Standby> {
  private waiting: Process | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly start: () => Process) {}

  /** The one that waits; one just started, when there is none or it has died. */
  take(): Process {
    const { waiting } = this;
    this.waiting = undefined;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.waiting = this.start();
    }, AFTER_MS).unref();
    return waiting?.alive ? waiting : this.start();
  }

  /** Start no further one until one is taken again. */
  stop(): void {
    clearTimeout(this.timer);
  }
}
