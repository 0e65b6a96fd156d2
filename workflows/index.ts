// What the worker's bundle exports. A default function receives every workflow type: each run carries its
// workflow's own name as its type, and its code as its argument.
export { host as default } from "./host.js";
