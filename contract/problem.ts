import { z } from "zod";

/** An answer that is an error (RFC 9457). */
export const ProblemDocument = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().nullable(),
    code: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string(), line: z.int().optional(), column: z.int().optional() })),
  })
  .meta({ id: "Problem" });
export type ProblemDocument = z.infer<typeof ProblemDocument>;
