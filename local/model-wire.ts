import type { Conversation } from "./model-conversation.js";
import type { Move } from "./model-script.js";

/** An event of a stream; those of some APIs have no type. */
export type StreamEvent = { type?: string; [field: string]: unknown };

/** One answer in the shapes of an API: whole, or as its stream of events. */
export interface WireAnswer {
  whole(): unknown;
  /** At once; undefined where the API says nothing yet. */
  start(): StreamEvent | undefined;
  /** Again and again while the script lets the client wait. */
  ping(): StreamEvent | undefined;
  /** When it answers. */
  rest(): Iterable<StreamEvent>;
}

/** A request that was understood, in any API's words. */
export interface WireRequest {
  model: string;
  stream: boolean;
  /** A question of the client's own beside the conversation: answered at once, and not written down. */
  isAside?: boolean;
  conversation: Conversation;
  answer(move: Move): WireAnswer;
  /** The body of an error of this status. */
  error(status: number, message: string): unknown;
  /** What it says of a usage limit that ends then, in seconds since 1970. Left out: what it says of 429. */
  limit?(until: number): LimitAnswer;
}

/** With status 429. */
export interface LimitAnswer {
  headers: Record<string, string>;
  body: unknown;
}

/** As many as a text is said to have, roughly. */
export function tokensOf(chars: number): number {
  return Math.ceil(chars / 4);
}
