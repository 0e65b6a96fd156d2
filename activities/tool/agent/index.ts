import { z } from "zod";
import type { AgentDeps } from "../../agent/index.js";
import { type BuiltInTool, builtInServer, builtInTool } from "../built-in.js";
import type { ToolServer } from "../server.js";
import { applyFixTool } from "./apply-fix.js";
import { ask, WHOM, type Whom } from "./ask.js";

/** Any JSON: an earlier step's output, or a text. */
const Material = z.json();
const common = { context: Material.optional(), ...WHOM };

const Analysis = z.object({
  description: z.string().describe("What is the matter, in a few sentences."),
  root_cause: z.string(),
  fix_description: z.string().describe("What the fix does, in one sentence; empty when there is none."),
  fix: z.string().describe("What to change, file by file, so that somebody else can do it; empty when there is no fix."),
  affected_files: z.array(z.string()),
  confidence: z.enum(["low", "medium", "high"]),
});

const CodeReview = z.object({
  summary: z.string().describe("The review's text, in Markdown."),
  event: z.enum(["COMMENT", "APPROVE", "REQUEST_CHANGES"]),
  comments: z
    .array(z.object({ path: z.string(), line: z.int().min(1), body: z.string() }))
    .describe("On lines of the diff's new side."),
});

const Classification = z.object({
  type: z.enum(["bug", "feature", "question", "documentation", "chore"]),
  priority: z.enum(["low", "medium", "high", "critical"]),
  category: z.string().describe("The part of the project, in a word or two."),
  suggested_labels: z.array(z.string()),
  notes: z.string().describe("For whoever takes it up."),
});

const Summary = z.object({ title: z.string(), summary: z.string(), points: z.array(z.string()) });

/**
 * A coding agent's abilities as tools: each gives an answer of a known shape. They work in the run's tree, may read there, and but
 * for `applyFix` change nothing.
 *
 * They throw `agent_…`, as the agent activity does; `applyFix` also what commits and pushes throw.
 */
export function agentServer(deps: AgentDeps): ToolServer {
  /** One that answers from what it reads. */
  function reader<Schema extends z.ZodObject>(description: string, input: Schema, answer: z.ZodType, task: string): BuiltInTool {
    return builtInTool(description, input, (params, use) => {
      const { model, role, profile, skills, ...material } = params as Record<string, unknown> & Whom; // by `common`
      return ask(deps, use, { task, material, schema: answer, permission: "default", whom: { model, role, profile, skills } });
    });
  }

  return builtInServer("agent", {
    analyze: builtInTool(
      "Find out what is the matter, and what to do: { description, root_cause, fix_description, fix, affected_files, confidence }, or what `schema` says.",
      z.strictObject({ prompt: z.string().min(1), ...common, schema: z.record(z.string(), z.unknown()).optional() }),
      ({ prompt, context, schema, ...whom }, use) =>
        ask(deps, use, { task: prompt, material: { context }, schema: schema ?? Analysis, permission: "default", whom }),
    ),

    reviewCode: reader(
      "Review a change: { summary, event, comments }, as github.createReview takes them.",
      z.strictObject({ diff: Material, files: Material.optional(), ...common }),
      CodeReview,
      "Review this change to the repository you are in, as a careful colleague would. Look for mistakes first; leave taste alone.",
    ),

    classifyIssue: reader(
      "Say what kind of issue it is: { type, priority, category, suggested_labels, notes }.",
      z.strictObject({ title: z.string(), body: z.string().nullish(), labels: Material.optional(), ...common }),
      Classification,
      "Classify this issue of the repository you are in. Suggest labels that the project has, where you know them.",
    ),

    summarize: reader(
      "Say it in short: { title, summary, points }.",
      z.strictObject({ text: Material, about: z.string().optional(), ...common }),
      Summary,
      "Summarize this for a colleague who has one minute.",
    ),

    applyFix: applyFixTool(deps),
  });
}
