import { afterAll } from "vitest";
import { endAll } from "./ends.js";

// A set-up file, read anew for each test file: files that share a process read all else once, and a hook said there is heard once.
afterAll(endAll);
