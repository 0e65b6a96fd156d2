import { type Swap, swapping } from "./swap.js";

/** A change of a definition, and the step at which a run that waits for its approval would go another way by it. */
export interface DefinitionEdit {
  name: string;
  /** Key of the step that the run has begun there; "" where it has begun nothing more; null: it goes on as it is. */
  breaks: string | null;
  apply: (source: string) => string;
}

/** What the runs have begun, in this order; then they wait. */
export const RELEASE = `import { defineWorkflow } from "longhaul";

export default defineWorkflow({
  name: "release",
  description: "Ships it.",
  async execute(ctx) {
    const count = await ctx.run("count", () => ({ value: 1 }));
    await ctx.run("build", () => "built");
    for (const n of [1, 2]) await ctx.run("test", () => n);
    await ctx.parallel([() => ctx.run("lint", () => 1), () => ctx.run("types", () => 2)]);
    await ctx.sleep(1);
    await ctx.approve("go", { message: "Go on?" });
    await ctx.shell("echo ship " + count.value, { name: "ship" });
    await ctx.run("report", () => "done");
  },
});
`;

const COUNT = 'const count = await ctx.run("count", () => ({ value: 1 }));';
const BUILD = 'await ctx.run("build", () => "built");';
const REPORT = 'await ctx.run("report", () => "done");';
const GO = 'await ctx.approve("go", { message: "Go on?" });';
const SLEEP = "await ctx.sleep(1);";

export const DEFINITION_EDITS: readonly DefinitionEdit[] = [
  edit("a comment", null, BUILD, `// as fast as it goes\n    ${BUILD}`),
  edit("a local variable gets another name", null, [COUNT, COUNT.replace("count", "counted")], ["count.value", "counted.value"]),
  edit("a new log line", null, BUILD, `ctx.log("builds"); ${BUILD}`),
  edit("a new step after the end", null, REPORT, `${REPORT} await ctx.run("sweep", () => 0);`),
  edit("the text of a shell step not yet reached", null, "echo ship", "echo shipping"),
  edit("a step not yet reached is left out", null, REPORT, ""),
  edit("a step not yet reached gets another name", null, '"report"', '"summary"'),
  edit("a new step right after the one that waits", null, GO, `${GO} await ctx.run("note", () => 0);`),
  edit("another description", null, "Ships it.", "Ships it at night."),
  edit("another time limit", null, "async execute", "timeout: 7_200_000,\n  async execute"),
  edit("other line breaks", null, BUILD, 'await ctx.run(\n      "build",\n      () => "built",\n    );'),
  edit("what a function gives is computed otherwise", null, '"built"', '["bu", "ilt"].join("")'),
  edit("a step that was done is left out", "build", BUILD, ""),
  edit("a step before all", "count", COUNT, `await ctx.run("begin", () => 0); ${COUNT}`),
  edit("a step in between", "test", "for (const n", 'await ctx.run("prepare", () => 0); for (const n'),
  edit("two steps change places", "count", [COUNT, "@"], [BUILD, COUNT], ["@", BUILD]),
  edit("a step that was done gets another name", "build", '"build"', '"compile"'),
  edit("a function becomes a shell step", "build", BUILD, 'await ctx.shell("true", { name: "build" });'),
  edit("a pass less", "test", "[1, 2]", "[1]"),
  edit("a pass more", "lint", "[1, 2]", "[1, 2, 3]"),
  edit(
    "branches change places",
    "lint",
    '() => ctx.run("lint", () => 1), () => ctx.run("types", () => 2)',
    '() => ctx.run("types", () => 2), () => ctx.run("lint", () => 1)',
  ),
  edit("no sleep", "sleep", SLEEP, ""),
  edit("no approval", "go", GO, ""),
  edit("an early end", "test", "for (const n", "if (count.value) return; for (const n"),
  edit("an error before", "sleep", SLEEP, `if (count.value) throw new Error("no"); ${SLEEP}`),
  edit(
    "a step beside the one that waits",
    "",
    GO,
    'await ctx.parallel([() => ctx.approve("go", { message: "Go on?" }), () => ctx.run("beside", () => 1)]);',
  ),
];

function edit(name: string, breaks: string | null, ...given: (string | Swap)[]): DefinitionEdit {
  return { name, breaks, apply: swapping(name, given) };
}
