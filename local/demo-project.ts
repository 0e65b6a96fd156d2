import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Rule } from "./model-script.js";

export interface DemoProject {
  /** The working copy, on branch main, clean. */
  path: string;
  /** The bare repository it pushes to. */
  remote: string;
  /** Of the feature to build, relative to the project. */
  specFile: string;
}

/**
 * A small Node project in a folder that does not exist yet: its own tests (`npm test`, no dependencies), a
 * specification of a feature that is missing, so that the tests fail, and a git remote to push to.
 *
 * @param workflows files to put where the project's definitions are looked for.
 */
export function makeDemoProject(folder: string, workflows: readonly string[] = []): DemoProject {
  const path = join(folder, "slugs");
  const remote = join(folder, "slugs.git");
  mkdirSync(folder, { recursive: true });
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", remote]);
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", path]);
  for (const [name, content] of Object.entries(FILES)) write(join(path, name), content);
  for (const file of workflows) cpSync(file, join(path, ".agent/workflows/definitions", file.slice(dirname(file).length + 1)));
  const git = (...args: string[]) => execFileSync("git", ["-C", path, ...args], { stdio: "pipe" });
  git("config", "user.name", "Demo");
  git("config", "user.email", "demo@example.com");
  git("add", "--all");
  git("commit", "--quiet", "--message=A place for slugs, and tests that wait for them");
  git("remote", "add", "origin", remote);
  git("push", "--quiet", "--set-upstream", "origin", "main");
  return { path, remote, specFile: "specs/slugify.md" };
}

function write(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

const FILES: Record<string, string> = {
  "package.json": `${JSON.stringify({ name: "slugs", version: "1.0.0", type: "module", private: true, scripts: { test: "node --test" } }, null, 2)}\n`,
  "README.md": "# Slugs\n\nTurns titles into parts of web addresses.\n",
  "specs/slugify.md": `# Slugs for titles

Add \`src/slugify.js\`, exporting \`slugify(title)\`, which turns a title into a part of a web address:

- all letters in lower case;
- accents taken off: \`é\` becomes \`e\`;
- everything that is not a letter a to z or a digit becomes a single \`-\`;
- no \`-\` at the beginning or the end.

The tests in \`test/slugify.test.js\` say the same.
`,
  "test/slugify.test.js": `import assert from "node:assert/strict";
import { test } from "node:test";
import { slugify } from "../src/slugify.js";

test("joins words in lower case", () => assert.equal(slugify("Hello World"), "hello-world"));
test("takes accents off", () => assert.equal(slugify("Crème brûlée"), "creme-brulee"));
test("puts one dash for several signs", () => assert.equal(slugify("Rock & Roll"), "rock-roll"));
test("has no dash at the ends", () => assert.equal(slugify("  What?  "), "what"));
`,
};

const FIRST_TRY = `/** A title as a part of a web address. */
export function slugify(title) {
  return title.toLowerCase().replaceAll(" ", "-");
}
`;

const BODY = '  return title.toLowerCase().replaceAll(" ", "-");\n';
const BETTER_BODY = `  return title
    .normalize("NFD")
    .replace(/\\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
`;

const PLAN = `1. Add src/slugify.js with one function, slugify(title).
2. Write it with string methods alone: the project has no dependencies.
3. Run npm test; the four tests of test/slugify.test.js must pass.`;

/** What the scripted model does for the demo: it plans, builds the feature too simply, and mends it when it sees the tests fail. */
export const DEMO_RULES: readonly Rule[] = [
  {
    when: /\bthe tests fail\b/i,
    moves: [
      { tool: "Read", input: { file_path: "{cwd}/src/slugify.js" } },
      { tool: "Edit", input: { file_path: "{cwd}/src/slugify.js", old_string: BODY, new_string: BETTER_BODY } },
      { say: "The function forgot accents, other signs than blanks, and dashes at the ends. It handles all of them now." },
    ],
  },
  { when: /\bplan\b[\s\S]*\bchange nothing\b/i, moves: [{ say: PLAN }] },
  {
    when: /\bimplement\b/i,
    moves: [
      { tool: "Write", input: { file_path: "{cwd}/src/slugify.js", content: FIRST_TRY } },
      { say: "src/slugify.js is written, as the plan says." },
    ],
  },
];
