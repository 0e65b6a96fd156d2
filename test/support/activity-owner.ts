import { ActivityProcess } from "../../activities/activity-process.js";

/** Starts a process for a file's own activities, says its pid, and calls it for ever. */
const [, , program = "", code = "", cwd = "", run = ""] = process.argv;
const owned = new ActivityProcess({ program, cwd, marks: { LONGHAUL_RUN_ID: run }, graceMs: 1000 });
owned.load(code);
const options = { env: {}, cwd, signal: new AbortController().signal, onOutput() {} };
await owned.call({ name: "pid", args: [], ...options });
console.log(owned.child.pid);
setInterval(() => {}, 60_000);
void owned.call({ name: "wait", args: [60_000], ...options });
