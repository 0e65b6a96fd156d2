import { once } from "node:events";
import type { LoadAnswer, LoadRequest } from "./load.js";
import { endWithParent } from "./orphan-guard.js";

/** What a process does that reads definitions: it answers its parent until that lets it go. Nothing else is to be done in it. */
export async function answerParent<Request extends LoadRequest>(answer: (request: Request) => LoadAnswer): Promise<void> {
  endWithParent();
  // The environment itself is slow to read, and the YAML library reads it for every word.
  process.env = { ...process.env };
  process.on("message", ({ id, request }: { id: number; request: Request }) => {
    process.send?.({ id }); // it has begun
    process.send?.({ id, answer: answer(request) });
  });
  await once(process, "disconnect");
}
