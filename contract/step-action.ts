import { z } from "zod";

/** What a person can do with a step that is under way. */
export const StepAction = z.enum(["skip", "retry", "complete"]);
export type StepAction = z.infer<typeof StepAction>;
