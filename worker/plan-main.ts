// What the process runs that reads plans: `node dist/worker/plan-main.js`, forked by `load-process.ts`.
import { runProgram } from "../program.js";

await runProgram("plan");
