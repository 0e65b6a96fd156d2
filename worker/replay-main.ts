// What a replaying process runs: `node dist/worker/replay-main.js`, forked by `replayer.ts`.
import { runProgram } from "../program.js";

await runProgram("replay");
