import { afterAll, beforeEach } from "vitest";
import { setCurrentTest } from "./current-test.js";
import { endAll } from "./ends.js";

// A set-up file, read anew for each test file: files that share a process read all else once, and a hook said there is heard once.
beforeEach(({ task }) => setCurrentTest(task.name));
afterAll(endAll);
