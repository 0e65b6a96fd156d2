import { z } from "zod";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Any JSON value. Its depth is limited where text enters (`api/body.ts`), not here. */
export const Json: z.ZodType<Json> = z
  .custom<Json>((value) => value !== undefined)
  .meta({
    description: "any JSON value",
    type: ["null", "boolean", "number", "string", "array", "object"],
  });

export type JsonObject = { [key: string]: Json };
export const JsonObject: z.ZodType<JsonObject> = z.record(z.string(), Json);
