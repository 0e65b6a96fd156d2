// What a load process runs: `node dist/worker/load-main.js`, forked by `load-process.ts`.
import { runProgram } from "../program.js";

await runProgram("load");
