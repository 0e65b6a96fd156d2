// Starts programs for the process that has started this one (`launcher.ts`), and tells it of them. It ends with that process.
import { runGitHere } from "./git-command.js";
import type { LaunchAnswer, LaunchRequest } from "./launcher.js";
import { startHere } from "./start-child.js";

const underWay = new Map<number, () => void>();

process.once("disconnect", () => process.exit(0));
process.on("message", (request: LaunchRequest) => {
  if (request.ask === "let go") underWay.get(request.id)?.();
  else if (request.ask === "git") void git(request);
  else start(request);
});

/** Resolves when it is on its way; says whether more would pile up. */
function tell(answer: LaunchAnswer): { sent: Promise<void>; isFull: boolean } {
  let isFull = false;
  const sent = new Promise<void>((resolve) => {
    isFull = !process.send?.(answer, undefined, {}, () => resolve()); // when it cannot be sent, the other process is gone, and we end
  });
  return { sent, isFull };
}

function start({ id, command }: LaunchRequest & { ask: "start" }): void {
  const over = () => underWay.delete(id);
  try {
    const letGo = startHere(command, {
      started: (pid) => tell({ id, is: "started", pid }),
      output(stream, data) {
        const { sent, isFull } = tell({ id, is: "output", stream, data });
        if (isFull) return sent;
      },
      exit: (exit) => tell({ id, is: "exit", exit }),
      closed() {
        over();
        tell({ id, is: "closed" });
      },
      failed: (error) => refuse(error),
    });
    underWay.set(id, letGo);
  } catch (error) {
    refuse(error as Error); // Node throws what is no program's name or argument
  }

  function refuse({ message, code }: NodeJS.ErrnoException): void {
    over();
    tell({ id, is: "failed", error: { message, code } });
  }
}

async function git({ id, command }: LaunchRequest & { ask: "git" }): Promise<void> {
  const stopper = new AbortController();
  underWay.set(id, () => stopper.abort());
  const result = await runGitHere(command, stopper.signal);
  underWay.delete(id);
  tell({ id, is: "git", result });
}
