import type { MailboxState } from "../contract/continuation.js";
import type { EventMessage } from "../contract/messages.js";

/** Characters of kept events in a run's first argument, which may have 2 MiB in all. */
const MOST_HANDED_OVER = 500_000;
/** An event that is sent again comes within moments of the first time. */
const MOST_KNOWN = 1_000;

/** Somebody who waits for an event of this name; `given` once there is one. */
export interface Expecting {
  name: string;
  given?: EventMessage;
}

/**
 * Events that have come from outside. Each goes to one step: to the one that has waited longest for its name, or it is kept for
 * the next that does.
 */
export class Mailbox {
  private readonly kept: EventMessage[];
  private readonly known: Set<string>;
  private expecting: Expecting[] = [];

  /** @param before what the run's execution before this one has left. */
  constructor(before?: MailboxState) {
    this.kept = [...(before?.kept ?? [])];
    this.known = new Set(before?.known);
  }

  /** @returns false for one that came before. */
  deliver(event: EventMessage): boolean {
    if (this.known.has(event.id)) return false;
    this.known.add(event.id);
    const first = this.expecting.find(({ name, given }) => name === event.name && !given);
    if (first) first.given = event;
    else this.kept.push(event);
    return true;
  }

  expect(name: string): Expecting {
    const at = this.kept.findIndex((event) => event.name === name);
    const [given] = at === -1 ? [] : this.kept.splice(at, 1);
    const waiting: Expecting = { name, ...(given ? { given } : {}) };
    this.expecting.push(waiting);
    return waiting;
  }

  /** Wait no more. An event that was given and is `unread` is there for the next again. */
  leave(waiting: Expecting, { unread = false } = {}): void {
    this.expecting = this.expecting.filter((other) => other !== waiting);
    if (unread && waiting.given) this.kept.unshift(waiting.given);
  }

  has(name: string): boolean {
    return this.kept.some((event) => event.name === name);
  }

  /** Too much is kept for it to be handed to a next execution. */
  get isHeavy(): boolean {
    return this.kept.length > 0 && JSON.stringify(this.kept).length > MOST_HANDED_OVER;
  }

  handOver(): MailboxState {
    const given = this.expecting.flatMap(({ given }) => (given ? [given] : [])); // and not taken
    return { kept: [...given, ...this.kept], known: [...this.known].slice(-MOST_KNOWN) };
  }
}
