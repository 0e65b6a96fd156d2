/** One event of an event stream. */
export interface SseFrame {
  event: string;
  data: string;
}

/** The frames of an event stream as they arrive; comments (`: ping`) are left out. */
export async function* sseFrames(body: ReadableStream<Uint8Array>): AsyncGenerator<SseFrame> {
  let pending = "";
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    pending += decoder.decode(bytes, { stream: true });
    const frames = pending.split("\n\n");
    pending = frames.pop() ?? "";
    for (const frame of frames) {
      const field = (name: string) =>
        frame
          .split("\n")
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join("\n");
      if (field("data") !== "") yield { event: field("event"), data: field("data") };
    }
  }
}
