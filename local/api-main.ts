// The API, as the built files have it: `node dist/local/api-main.js`.
import { runProgram } from "../program.js";

await runProgram("api");
