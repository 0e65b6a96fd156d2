// A tool server that releases folders: each service has its releases beside each other and a link `current` to one of them.
//
//   node server.mjs <root> [<sources>]     releases lie in <root>/<service>/releases, what is released below <sources> (default: <root>)
//
// A release is switched in one step, and named by its content: to deploy the same folder again changes nothing.
import { createHash } from "node:crypto";
import { cp, lstat, mkdir, readdir, readFile, readlink, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const KEPT = 5;
const [root, sources] = await Promise.all([folder(process.argv[2]), folder(process.argv[3] ?? process.argv[2])]);

const Name = z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, "letters, digits, . _ and - only, and no . at the beginning");
const server = new McpServer({ name: "deploy", version: "1.0.0" });

tool(
  "deploy",
  "Release a folder, and make it the current release.",
  { service: Name, source: z.string(), release: Name.optional() },
  deploy,
);
tool("getStatus", "Which release is current, and which one was before.", { service: Name }, status);
tool(
  "rollback",
  "Make an earlier release the current one: the one before, or the one that is named.",
  { service: Name, release: Name.optional() },
  rollback,
);
tool("listReleases", "The releases that are kept, newest first.", { service: Name }, async ({ service }) => {
  const home = await homeOf(service);
  const [current, history] = await Promise.all([currentOf(home), historyOf(home)]);
  const releases = history.toReversed().map(({ release, at }) => ({ release, at, current: release === current }));
  return { service, releases };
});

await server.connect(new StdioServerTransport());

async function deploy({ service, source, release }) {
  const from = await inside(sources, source);
  if (!(await lstat(from)).isDirectory()) throw new Error(`${source} is no folder.`);
  const home = await homeOf(service, true);
  const name = release ?? (await fingerprint(from));
  const place = join(home, "releases", name);
  if (!(await exists(place))) {
    const half = join(home, "releases", `.${name}-${process.pid}`);
    await rm(half, { recursive: true, force: true });
    await cp(from, half, { recursive: true, verbatimSymlinks: true, filter: (path) => mayCopy(path, from) });
    await rename(half, place);
  } else if (release !== undefined && (await fingerprint(place)) !== (await fingerprint(from))) {
    throw new Error(`There is a release ${release} of ${service} already, with other content.`);
  }
  const [current, history] = await Promise.all([currentOf(home), historyOf(home)]);
  if (current === name) return status({ service });
  const others = history.filter((entry) => entry.release !== name);
  const old = others.filter((entry) => entry.release !== current).slice(0, Math.max(0, others.length + 1 - KEPT));
  const kept = others.filter((entry) => !old.includes(entry));
  await keepHistory(home, [...kept, { release: name, at: new Date().toISOString(), previous: current }]);
  await makeCurrent(home, name);
  await Promise.all(old.map((entry) => rm(join(home, "releases", entry.release), { recursive: true, force: true })));
  return status({ service });
}

async function rollback({ service, release }) {
  const home = await homeOf(service);
  const { previous_release } = await status({ service });
  const wanted = release ?? previous_release;
  if (wanted === null) throw new Error(`There is no release of ${service} before this one.`);
  if (!(await exists(join(home, "releases", wanted)))) throw new Error(`There is no release ${wanted} of ${service}.`);
  await makeCurrent(home, wanted);
  return status({ service });
}

async function status({ service }) {
  const home = await homeOf(service);
  const [current, history] = await Promise.all([currentOf(home), historyOf(home)]);
  const entry = history.find(({ release }) => release === current);
  const isKept = history.some(({ release }) => release === entry?.previous);
  return {
    service,
    current_release: current,
    previous_release: isKept ? entry.previous : null,
    released_at: entry?.at ?? null,
  };
}

/** Another process sees the old release or the new one, never none. */
async function makeCurrent(home, release) {
  const link = join(home, `.current-${process.pid}`);
  await rm(link, { force: true });
  await symlink(join("releases", release), link);
  await rename(link, join(home, "current"));
}

async function currentOf(home) {
  const target = await readlink(join(home, "current")).catch(() => null);
  return target === null ? null : basename(target);
}

/** What was deployed, oldest first: name, time, and what was current before. */
async function historyOf(home) {
  return JSON.parse(await readFile(join(home, "history.json"), "utf8").catch(() => "[]"));
}

async function keepHistory(home, history) {
  const file = join(home, "history.json");
  await writeFile(`${file}.new`, JSON.stringify(history, null, 2));
  await rename(`${file}.new`, file);
}

async function homeOf(service, make = false) {
  if (make) await mkdir(join(root, service, "releases"), { recursive: true });
  const home = await inside(root, service).catch(() => null);
  if (home === null) throw new Error(`There is no service ${service} here.`);
  return home;
}

/** A link may be released when what it leads to is. Git's own folder never is. */
async function mayCopy(path, top) {
  if (basename(path) === ".git") return false;
  if (!(await lstat(path)).isSymbolicLink()) return true;
  const target = resolve(dirname(path), await readlink(path));
  if (isWithin(target, top)) return true;
  throw new Error(`${relative(top, path)} leads out of the folder that is released.`);
}

async function fingerprint(top) {
  const hash = createHash("sha256");
  const names = await readdir(top, { recursive: true, withFileTypes: true });
  const paths = names.map((entry) => ({ entry, path: relative(top, join(entry.parentPath ?? entry.path, entry.name)) }));
  for (const { entry, path } of paths.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (path.split(sep).includes(".git")) continue;
    hash.update(`${path}\0`);
    if (entry.isFile()) hash.update(await readFile(join(top, path)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** @throws {Error} for a path that is not there, or leads out of the folder. */
async function inside(top, path) {
  const real = await realpath(resolve(top, path)).catch(() => {
    throw new Error(`There is no ${path} here.`);
  });
  if (!isWithin(real, top)) throw new Error(`${path} leads out of the folder that this server may use.`);
  return real;
}

function isWithin(path, top) {
  return path === top || path.startsWith(top + sep);
}

async function exists(path) {
  return (await lstat(path).catch(() => null)) !== null;
}

async function folder(path) {
  if (path === undefined) {
    console.error("Say where releases lie: node server.mjs <root> [<sources>]");
    process.exit(2);
  }
  return realpath(path);
}

/** A tool whose answer is an object: as structured content, and as text for clients that want that. */
function tool(name, description, inputSchema, run) {
  server.registerTool(name, { description, inputSchema }, async (params) => {
    const answer = await run(params);
    return { structuredContent: answer, content: [{ type: "text", text: JSON.stringify(answer) }] };
  });
}
