#!/usr/bin/env node
// The command line, as the built files have it: `node dist/cli/main.js`.
import { loadProgram } from "../program.js";

await loadProgram("cli").program.main();
