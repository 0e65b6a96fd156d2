import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { z } from "zod";

/** A line of JSON-RPC 2.0: a request, a notification or an answer. */
const Message = z.looseObject({
  id: z.union([z.string(), z.number()]).nullish(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.looseObject({ code: z.number(), message: z.string(), data: z.unknown().optional() }).optional(),
});
type Message = z.infer<typeof Message>;

/** What the agent may ask of us, and tell us. */
export interface AcpHandlers {
  /** @throws {RpcError} to be answered as that error. */
  asked(method: string, params: unknown): Promise<unknown>;
  /** What it throws ends the connection. */
  told(method: string, params: unknown): void;
  /** Each line that means something, ours and the agent's, as it was sent. */
  line?(line: string): void;
}

/** An error in the words of the protocol. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
  }
}

export const METHOD_NOT_FOUND = -32_601;
const INTERNAL_ERROR = -32_603;

/**
 * JSON-RPC 2.0, a message a line, over an agent's standard input and output: the Agent Client Protocol's transport. What is told is
 * taken in its order; a line that is no JSON is passed over, as agents print such things.
 */
export class AcpConnection {
  #last = 0;
  #closed: Error | undefined;
  readonly #waiting = new Map<string | number, { resolve(result: unknown): void; reject(error: Error): void }>();

  constructor(
    private readonly input: Writable,
    output: Readable,
    private readonly handlers: AcpHandlers,
  ) {
    input.on("error", () => {}); // it has ended, which the process tells
    createInterface({ input: output }).on("line", (line) => {
      try {
        this.#take(line);
      } catch (error) {
        this.close(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** @throws {RpcError} what the agent answers, {Error} when the connection ends first; {z.ZodError} when the answer is of another shape. */
  async request<Schema extends z.ZodType>(method: string, params: unknown, result: Schema): Promise<z.infer<Schema>> {
    const id = ++this.#last;
    const answered = new Promise<unknown>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#waiting.set(id, { resolve, reject });
      this.#send({ id, method, params });
    });
    return result.parse(await answered);
  }

  notify(method: string, params: unknown): void {
    if (!this.#closed) this.#send({ method, params });
  }

  /** Whatever waits for an answer gets this one. */
  close(why: Error): void {
    this.#closed ??= why;
    for (const { reject } of this.#waiting.values()) reject(this.#closed);
    this.#waiting.clear();
  }

  #take(line: string): void {
    const message = Message.safeParse(parsed(line)).data;
    if (!message || this.#closed) return;
    this.handlers.line?.(line);
    const { id, method, params } = message;
    if (method === undefined) this.#settle(message);
    else if (id === undefined || id === null) this.handlers.told(method, params);
    else this.#answer(id, this.handlers.asked(method, params));
  }

  #answer(id: string | number, answered: Promise<unknown>): void {
    answered.then(
      (result) => this.#send({ id, result: result ?? {} }),
      (error: unknown) => this.#send({ id, error: worded(error) }),
    );
  }

  #settle({ id, result, error }: Message): void {
    if (id === undefined || id === null) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new RpcError(error.code, error.message, error.data));
    else waiting?.resolve(result);
  }

  #send(message: Partial<Message>): void {
    const line = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.handlers.line?.(line);
    this.input.write(`${line}\n`);
  }
}

function worded(error: unknown): { code: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  return { code: error instanceof RpcError ? error.code : INTERNAL_ERROR, message };
}

/** Undefined for what is no JSON. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
