import { z } from "zod";
import type { Json } from "../../contract/json.js";

/** Claude Code's tool for asking people. */
export const ASK_TOOL = "AskUserQuestion";

const Questions = z.looseObject({
  questions: z.array(
    z.looseObject({
      question: z.string(),
      header: z.string(),
      options: z.array(z.looseObject({ label: z.string(), description: z.string().optional() })).default([]),
    }),
  ),
});

/** JSON schema of the answers, one text by each question's heading. Undefined when nothing is asked that can be read. */
export function schemaOfQuestions(input: unknown): Json | undefined {
  const asked = Questions.safeParse(input).data?.questions ?? [];
  if (asked.length === 0) return undefined;
  const properties = Object.fromEntries(
    asked.map(({ question, header, options }) => {
      const offered = options.map(({ label, description }) => (description ? `${label} (${description})` : label));
      const description = [question, ...(offered.length > 0 ? [`${offered.join("; ")}; or something else.`] : [])].join(" ");
      return [header, { type: "string", minLength: 1, description }];
    }),
  );
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}

/** The tool's input with what was answered, as Claude Code takes it. */
export function withAnswers(input: Record<string, unknown>, fields: Json): Record<string, unknown> {
  const given = z.record(z.string(), z.string()).catch({}).parse(fields);
  const asked = Questions.parse(input).questions;
  return { ...input, answers: Object.fromEntries(asked.map(({ question, header }) => [question, given[header] ?? ""])) };
}
