// Starts programs for the process that has started this one (`launcher.ts`), and tells it of them. When that process is gone,
// what is under way is ended, and then this process ends: nobody waits for it, and it would be done a second time.
import { runGitHere } from "./git-command.js";
import type { LaunchAnswer, LaunchRequest, Ward } from "./launcher.js";
import { startHere } from "./start-child.js";
import { endGroup, GRACE_MS, sweep } from "./sweep.js";

/** How to let go of a command's output, by request. */
const outputs = new Map<number, () => void>();
const gits = new Map<number, AbortController>();
const wards = new Map<number, Ward>();

process.once("disconnect", () => void endAll());
process.on("message", (request: LaunchRequest) => {
  if (request.ask === "let go") letGo(request.id);
  else if (request.ask === "git") void git(request);
  else if (request.ask === "guard") wards.set(request.id, request);
  else start(request);
});

function letGo(id: number): void {
  wards.delete(id);
  outputs.get(id)?.();
  gits.get(id)?.abort();
}

async function endAll(): Promise<void> {
  const left = [...wards.values()];
  for (const { leader } of left) endGroup(leader);
  for (const git of gits.values()) git.abort();
  await Promise.allSettled(left.map(({ leader, marks }) => sweep(marks, GRACE_MS, leader)));
  process.exit(0);
}

/** Resolves when it is on its way; says whether more would pile up. */
function tell(answer: LaunchAnswer): { sent: Promise<void>; isFull: boolean } {
  let isFull = false;
  const sent = new Promise<void>((resolve) => {
    isFull = !process.send?.(answer, undefined, {}, () => resolve()); // when it cannot be sent, the other process is gone, and we end
  });
  return { sent, isFull };
}

function start({ id, command }: LaunchRequest & { ask: "start" }): void {
  const over = () => {
    outputs.delete(id);
    wards.delete(id);
  };
  try {
    const close = startHere(command, {
      started(leader) {
        wards.set(id, { leader, marks: command.marks });
        tell({ id, is: "started", pid: leader });
      },
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
    outputs.set(id, close);
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
  gits.set(id, stopper);
  const result = await runGitHere(command, stopper.signal);
  gits.delete(id);
  tell({ id, is: "git", result });
}
