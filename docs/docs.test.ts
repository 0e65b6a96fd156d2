import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import type { ActivityDeps } from "../activities/index.js";
import { agentServer } from "../activities/tool/agent/index.js";
import { githubServer } from "../activities/tool/github/index.js";
import { surface } from "../api/app.js";
import type { ApiContext } from "../api/context.js";
import { EventType, PROGRESS } from "../contract/event.js";
import { compile } from "../definition/compile.js";
import { packageRoot } from "../package-root.js";
import { testFolder } from "../test/support/stack.js";
import { createLoader } from "../worker/load.js";

const read = (path: string) => readFileSync(join(packageRoot, path), "utf8");
const below = (folder: string, end: string) =>
  readdirSync(join(packageRoot, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(end))
    .map((name) => `${folder}/${name}`);
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", ...below("docs", ".md")];
const sources = (folders: string[]) =>
  folders.flatMap((folder) => below(folder, ".ts")).filter((file) => !file.endsWith(".test.ts"));

test.each(pages)("%s links to nothing that is not there", (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
  const broken = links.filter(([, path = "", anchor]) => {
    const file = path === "" ? page : join(dirname(page), path);
    if (!existsSync(join(packageRoot, file))) return true;
    return anchor !== undefined && !anchors(read(file)).includes(anchor);
  });

  expect(broken.map(([link]) => link)).toEqual([]);
});

test.each(pages)("%s names no file that is not there", (page) => {
  const known = /^(activities|api|cli|contract|db|definition|docs|examples|local|sdk|test|worker|workflows)\//;
  const named = [...read(page).matchAll(/`([\w./-]+\.(?:ts|md|sql|json|yml))`/g)].map(([, path = ""]) => path);

  expect(named.filter((path) => known.test(path) && !existsSync(join(packageRoot, path)))).toEqual([]);
});

test.each(pages)("every whole workflow in %s loads", async (page) => {
  const project = testFolder();
  const blocks = [...read(page).matchAll(/```ts\n([\s\S]*?)```|<<'END'\n([\s\S]*?)END\n/g)].map(([, a, b]) => a ?? b ?? "");
  for (const [i, code] of blocks.filter((block) => block.includes("export default")).entries()) {
    const file = join(project, `${i}.ts`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, code);

    expect(await createLoader().load(file, project)).toMatchObject({ ok: true });
  }
});

test.each(pages)("every whole definition in %s compiles", (page) => {
  const blocks = [...read(page).matchAll(/```(yaml|json)\n([\s\S]*?)```/g)].map(([, format = "", text = ""]) => ({
    format,
    text,
  }));
  for (const { format, text } of blocks.filter((block) => /^(?: {2}")?(?:steps|stages)"?:/m.test(block.text))) {
    const file = /^id: (.+)$/m.exec(text)?.[1];

    expect(compile(text, file ? `${file}.workflow.yml` : `a.${format}`)).toMatchObject({ ok: true });
  }
});

test("every key of a definition is in docs/definitions.md", () => {
  const files = ["top", "step", "work", "retry-field", "json-schema", "dag", "phases", "stages", "stage", "tools"]
    .map((name) => read(`definition/${name}.ts`))
    .join("\n");
  const calls = files.matchAll(
    /\.(?:text|texts|int|number|boolean|oneOf|duration|template|anyValue|condition|list|map|need|either)\(([^()]*)/g,
  );
  const keys = [...calls].flatMap(([, given = ""]) => [...given.matchAll(/"(\w+)"/g)].map(([, key = ""]) => key));
  const text = read("docs/definitions.md");

  expect(new Set(keys).size).toBeGreaterThan(50);
  expect([...new Set(keys)].filter((key) => !text.includes(`\`${key}`))).toEqual([]);
});

test("every setting is in the README, with its default", () => {
  const settings = [...read("config.ts").matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name = ""]) => name);

  expect(settings.length).toBeGreaterThan(10);
  expect(settings.filter((name) => !read("README.md").includes(`| \`${name}\` |`))).toEqual([]);
});

test("every command and option of the command line is in docs/cli.md", () => {
  const text = sources(["cli"]).map(read).join("\n");
  const commands = [...text.matchAll(/\.command\("([a-z-]+)"/g)].map(([, name = ""]) => name);
  const options = [...text.matchAll(/ption\("(?:-\w, )?(--[a-z-]+)/g)].map(([, name = ""]) => name);
  const page = read("docs/cli.md");

  expect(commands.length).toBeGreaterThan(15);
  expect(options.length).toBeGreaterThan(20);
  expect([...commands, ...options].filter((name) => !new RegExp(`[ \`|]${name}[ \`|,]`).test(page))).toEqual([]);
});

test("every event is in docs/events.md", () => {
  const text = read("docs/events.md");

  expect([...EventType.options, PROGRESS].filter((type) => !text.includes(`\`${type}\``))).toEqual([]);
});

test("every word for what can go wrong is in docs/errors.md", () => {
  const text = sources(["activities", "workflows", "worker", "api"]).map(read).join("\n");
  const words = [
    ...text.matchAll(/(?:StepFailure|fail)\(\s*"([a-z_]+)"/g),
    ...text.matchAll(/StepFailed\(\s*[\w.]+,\s*"([a-z_]+)"/g),
    ...text.matchAll(/HttpError\(\s*\d+,\s*"([a-z_]+)"/g),
  ].map(([, word = ""]) => word);

  expect(new Set(words).size).toBeGreaterThan(40);
  expect([...new Set(words)].filter((word) => !read("docs/errors.md").includes(`\`${word}\``))).toEqual([]);
});

test("every route is in docs/http.md", () => {
  // What routes are made of is looked at when one is asked, not when they are listed.
  const routes = surface({} as ApiContext).flatMap(({ at, routes }) =>
    routes.map(({ method, path }) => `${method.toUpperCase()} ${at[0]}${path === "/" ? "" : path}`),
  );
  const text = read("docs/http.md");

  expect(routes.length).toBeGreaterThan(30);
  expect(routes.filter((route) => !text.includes(`\`${route}\``))).toEqual([]);
});

test("every word of ctx is in docs/workflows.md", () => {
  const [, context = ""] = /export interface WorkflowContext[^{]*\{([\s\S]*?)\n\}\n/.exec(read("sdk/context.ts")) ?? [];
  const words = [...context.matchAll(/^ {2}(?:readonly )?(\w+)[<(:]/gm)].map(([, word = ""]) => word);
  const text = read("docs/workflows.md");

  expect(words.length).toBeGreaterThan(20);
  expect(words.filter((word) => !new RegExp(`\`ctx\\.${word}[\`.]`).test(text))).toEqual([]);
});

test("every built-in tool is in docs/tools.md, with its params", async () => {
  const none = {} as ActivityDeps; // tools are only listed
  const text = read("docs/tools.md");
  for (const server of [githubServer({ apiUrl: "http://127.0.0.1", token: undefined }), agentServer(none)]) {
    for (const { name, inputSchema } of await server.tools()) {
      const row = text.split("\n").find((line) => line.startsWith(`| \`${name}\` |`)) ?? "";
      const params = Object.keys(inputSchema.properties ?? {}).filter(
        (param) => !["owner", "repo", "context", "model", "role", "profile", "skills"].includes(param),
      );

      expect({ name, missing: params.filter((param) => !new RegExp(`\`${param}\\??\``).test(row)) }).toEqual({
        name,
        missing: [],
      });
    }
  }
});

test("every dependency has its line among the decisions", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  const text = read("docs/decisions/0010-dependencies.md");
  const named = [...text.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );

  expect(named.toSorted()).toEqual(Object.keys({ ...dependencies, ...devDependencies }).toSorted());
});

test("every package that brings an install script is told not to run it", () => {
  const packages: Record<string, { hasInstallScript?: boolean }> = JSON.parse(read("package-lock.json")).packages;
  const bringing = Object.keys(packages).filter((path) => packages[path]?.hasInstallScript);
  const names = new Set(bringing.map((path) => path.split("node_modules/").at(-1)));

  expect(JSON.parse(read("package.json")).allowScripts).toEqual(Object.fromEntries([...names].map((name) => [name, false])));
});

test("the table of folders is that of the boundary test", () => {
  const rules = [...read("architecture.test.ts").matchAll(/^ {2}"?([\w-]+)"?: \[([^\]]*)\],$/gm)].slice(0, 12);
  const text = read("docs/architecture.md");
  for (const [, folder = "", list = ""] of rules) {
    const allowed = [...list.matchAll(/"([^"]+)"/g)].map(([, name = ""]) =>
      name.replace("type:", "types of ").replace("*", "everything"),
    );
    const [, cell = "none"] = new RegExp(`^\\| \`${folder}\` \\|[^|]*\\|([^|]*)\\|$`, "m").exec(text) ?? [];

    expect({ folder, allowed: cell.trim() }).toEqual({ folder, allowed: allowed.join(", ") });
  }
});

/** Anchors of a page's headings, as forges make them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replace(/\s+/g, "-"),
  );
}
