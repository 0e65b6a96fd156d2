import { z } from "zod";

/** What OpenAI's API understands of a JSON schema that an answer is to have. */
const StrictSchema: z.ZodType = z.lazy(() =>
  z
    .strictObject({
      $schema: z.string().optional(),
      title: z.string().optional(),
      description: z.string().optional(),
      type: z.union([z.string(), z.array(z.string())]).optional(),
      enum: z.array(z.json()).optional(),
      const: z.json().optional(),
      anyOf: z.array(StrictSchema).optional(),
      items: StrictSchema.optional(),
      properties: z.record(z.string(), StrictSchema).optional(),
      required: z.array(z.string()).optional(),
      additionalProperties: z.literal(false).optional(),
      $ref: z.string().optional(),
      $defs: z.record(z.string(), StrictSchema).optional(),
      pattern: z.string().optional(),
      minimum: z.number().optional(),
      maximum: z.number().optional(),
      exclusiveMinimum: z.number().optional(),
      exclusiveMaximum: z.number().optional(),
      multipleOf: z.number().optional(),
      minItems: z.number().optional(),
      maxItems: z.number().optional(),
    })
    .refine(({ type, properties, required, additionalProperties }) => {
      if (type !== "object" && properties === undefined) return true;
      return additionalProperties === false && Object.keys(properties ?? {}).every((name) => required?.includes(name));
    }),
);

/**
 * Whether OpenAI's API takes a schema as the shape of its answers: an object, and every object in it is closed and has all its
 * fields required. Another one it answers with an error, so the agent is told of it in words.
 */
export function isStrict(schema: Record<string, unknown>): boolean {
  return schema.type === "object" && StrictSchema.safeParse(schema).success;
}
