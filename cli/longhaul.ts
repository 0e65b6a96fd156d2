import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { packageRoot } from "../package-root.js";
import { addApprove, addReject } from "./commands/approve.js";
import { addBulk } from "./commands/bulk.js";
import { addCancel } from "./commands/cancel.js";
import { addCheckpoint } from "./commands/checkpoint.js";
import { addCheckpoints } from "./commands/checkpoints.js";
import { addCompare } from "./commands/compare.js";
import { addApprovals, addDelegate } from "./commands/delegate.js";
import { addDeploy } from "./commands/deploy.js";
import { addDoctor } from "./commands/doctor.js";
import { addFork, addRestore, addRetry } from "./commands/fork.js";
import { addInit } from "./commands/init.js";
import { addList } from "./commands/list.js";
import { addLogs } from "./commands/logs.js";
import { addOpen } from "./commands/open.js";
import { addPause } from "./commands/pause.js";
import { addProjects } from "./commands/projects.js";
import { addPrune } from "./commands/prune.js";
import { addRebuild } from "./commands/rebuild.js";
import { addResume } from "./commands/resume.js";
import { addRun } from "./commands/run.js";
import { addSecrets } from "./commands/secrets.js";
import { addSendEvent } from "./commands/send-event.js";
import { addDev, addStart } from "./commands/start.js";
import { addStatus } from "./commands/status.js";
import { addStep } from "./commands/step.js";
import { addUsers } from "./commands/users.js";
import { addValidate } from "./commands/validate.js";
import { addWatch } from "./commands/watch.js";
import { addWorkflow } from "./commands/workflow.js";
import { report } from "./report.js";

const GROUPS: [string, ((program: Command) => void)[]][] = [
  [
    "Runs:",
    [
      addRun,
      addList,
      addStatus,
      addWatch,
      addLogs,
      addPause,
      addResume,
      addCancel,
      addRetry,
      addRestore,
      addFork,
      addApprove,
      addReject,
      addDelegate,
      addApprovals,
      addSendEvent,
      addStep,
      addBulk,
      addCheckpoints,
      addCheckpoint,
      addCompare,
      addOpen,
    ],
  ],
  ["Workflows:", [addInit, addValidate, addDeploy, addWorkflow]],
  ["Projects:", [addProjects, addSecrets, addUsers]],
  ["This machine:", [addStart, addDev, addDoctor, addPrune, addRebuild]],
];

const HELP = `
Exit codes: 0 ok, 1 the run failed, 2 wrong usage or input, 3 not found,
            4 no connection, 5 cancelled
Server:     LONGHAUL_URL, else this machine's by LONGHAUL_HOST and LONGHAUL_PORT
Token:      LONGHAUL_TOKEN, else the one in LONGHAUL_HOME`;

/** `longhaul <command>`: to its end, and that of this process. */
export async function main(): Promise<void> {
  // Whoever reads no further, as `head` does, has got what it wanted.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  }
  const program = new Command("longhaul")
    .description("Software delivery that survives restarts.")
    .version(version(), "-V, --version", "print the version")
    .exitOverride()
    .configureHelp({ minWidthToWrap: 20 }) // the longest command leaves that much of 80 columns
    .showHelpAfterError("(--help says more)")
    .addHelpText("after", HELP);
  for (const [group, commands] of GROUPS) {
    program.commandsGroup(group);
    for (const add of commands) add(program);
  }
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
  // Kept connections, and processes that loaded something, would hold the program for a while.
  process.stdout.write("", () => process.exit());
}

function version(): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"))).version;
}
