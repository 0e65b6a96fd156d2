import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

/**
 * Which folders each folder may import. `type:` allows `import type` alone. Files at the top (`config`,
 * `fault`, `key-file`, `payload-codec`, `package-root`, `program`) count as folders of their own name.
 */
const mayImport: Record<string, readonly string[]> = {
  contract: [],
  definition: ["contract"],
  sdk: ["contract", "type:activities"],
  workflows: ["contract", "sdk", "definition", "type:activities"],
  db: ["contract", "key-file", "package-root"],
  activities: ["contract", "definition", "db", "fault"],
  worker: [
    "contract",
    "sdk",
    "activities",
    "definition",
    "db",
    "config",
    "payload-codec",
    "package-root",
    "program",
    "type:workflows",
  ],
  api: ["contract", "definition", "db", "config", "fault", "package-root", "type:workflows"],
  web: ["contract", "sdk"],
  cli: ["contract", "sdk", "definition", "config", "package-root", "program", "local"],
  bench: ["*"],
  local: ["*"],
  test: ["*"],
};

/** Packages that only some folders may import. */
const onlyIn: Record<string, readonly string[]> = {
  commander: ["cli"],
  react: ["web"],
  "eventsource-parser": ["sdk", "test"],
  express: ["api", "bench", "local", "test"],
  "drizzle-orm": ["db"],
  pg: ["db", "api", "test", "local", "bench"],
  "simple-git": ["activities"],
  "@bufbuild/cel": ["definition"],
  "@temporalio/worker": ["worker", "bench", "test"],
  "@temporalio/workflow": ["sdk", "workflows", "worker", "bench", "test"],
  "@temporalio/activity": ["activities", "worker", "bench", "test"],
};

/** Code that Temporal's sandbox runs: no Node in it. */
const sandboxed = ["contract", "sdk", "workflows"];

/** Files of those folders that only Node runs; nothing that the sandbox runs imports them. */
const nodeOnly = ["definition/parse-file.ts", "definition/version.ts"];

test.each(Object.keys(mayImport))("%s imports only what it may", (folder) => {
  const allowed = mayImport[folder] ?? [];
  const strays = importsOf(folder).filter(({ kind, to, path }) => {
    if (!path.startsWith(".") || allowed.includes("*") || to === folder || allowed.includes(to)) return false;
    return !(kind === "type" && allowed.includes(`type:${to}`));
  });

  expect(strays).toEqual([]);
});

test.each(sandboxed)("%s reaches nothing of Node", (folder) => {
  const strays = importsOf(folder).filter(({ path, kind, file }) => {
    return kind === "value" && path.startsWith("node:") && !nodeOnly.includes(file);
  });

  expect(strays).toEqual([]);
});

test("each package stays where it belongs", () => {
  const strays = Object.keys(mayImport)
    .flatMap(importsOf)
    .filter(({ path, file, kind }) => {
      const [name] = Object.keys(onlyIn).filter((known) => path === known || path.startsWith(`${known}/`));
      return kind === "value" && name && !onlyIn[name]?.includes(file.split("/")[0] ?? "");
    });

  expect(strays).toEqual([]);
});

test("the product stands without the packages of its development", () => {
  const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8")) as { devDependencies: Record<string, string> };
  const strays = Object.keys(mayImport)
    .filter((folder) => !["test", "bench", "web"].includes(folder)) // the page is built, with all that it needs
    .flatMap(importsOf)
    .filter(({ path, kind }) => kind === "value" && Object.hasOwn(devDependencies, packageOf(path)));

  expect(strays).toEqual([]);
});

test("nothing but the product's own entries imports local", () => {
  const strays = ["contract", "sdk", "definition", "workflows", "activities", "db", "worker", "api"]
    .flatMap(importsOf)
    .filter(({ to, path }) => path.startsWith(".") && to === "local");

  expect(strays).toEqual([]);
});

test("only the commands that work on this machine, and not over HTTP, import local", () => {
  const local = readdirSync("cli", { recursive: true, encoding: "utf8" })
    .filter(
      (name) =>
        /(?<!\.test)\.ts$/.test(name) && /(?:from |import\()"[./]+\/local\//.test(readFileSync(join("cli", name), "utf8")),
    )
    .toSorted();

  expect(local).toEqual(["doctor", "rebuild", "start", "validate"].map((name) => join("commands", `${name}.ts`)));
});

/** Of `@scope/name/file` the first two parts, of `name/file` the first. */
function packageOf(path: string): string {
  return path.split("/", path.startsWith("@") ? 2 : 1).join("/");
}

function importsOf(folder: string) {
  if (!existsSync(folder)) return []; // a folder of the table that has no file yet
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !/\.test\.tsx?$/.test(name))
    .flatMap((name) => {
      const file = join(folder, name);
      const found = readFileSync(file, "utf8").matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from "([^"]+)"/gm);
      return [...found].map(([, type, path = ""]) => ({
        file,
        kind: type ? "type" : "value",
        path,
        to: path.startsWith(".") ? (normalize(join(dirname(file), path)).split("/")[0] ?? "").replace(/\.js$/, "") : path,
      }));
    });
}
