// The worker, as the built files have it: `node dist/local/worker-main.js`.
import { runProgram } from "../program.js";

await runProgram("worker");
