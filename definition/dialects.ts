import { dag } from "./dag.js";
import type { DialectReader } from "./dialect.js";
import { phases } from "./phases.js";
import { stages } from "./stages.js";
import { tools } from "./tools.js";

/** Every dialect there is. A file's name or shape may fit only one of them. */
export const dialects: readonly DialectReader[] = [phases, stages, dag, tools];
