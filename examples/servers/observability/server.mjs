// A tool server that looks into log files: <root>/<service>.log, and all <root>/<service>/*.log.
//
//   node server.mjs <root>
//
// A text is searched for as it is, not as a pattern, so that no search takes longer than its files are long.
import { open, readdir, realpath } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

/** Of each file only its end is read. */
const READ_BYTES = 8 * 1024 * 1024;
const LINE_CHARS = 2_000;

if (process.argv[2] === undefined) {
  console.error("Say where the logs lie: node server.mjs <root>");
  process.exit(2);
}
const root = await realpath(process.argv[2]);
const Service = z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, "letters, digits, . _ and - only, and no . at the beginning");
const server = new McpServer({ name: "observability", version: "1.0.0" });

tool(
  "searchLogs",
  "The newest lines of a service's logs that hold a text, oldest first.",
  {
    service: Service,
    query: z.string().min(1),
    limit: z.number().int().min(1).max(500).default(100),
    ignoreCase: z.boolean().default(true),
  },
  async ({ service, query, limit, ignoreCase }) => {
    const plain = (text) => (ignoreCase ? text.toLowerCase() : text);
    const wanted = plain(query);
    const found = (await linesOf(service)).filter(({ text }) => plain(text).includes(wanted));
    return { service, matches: found.slice(-limit).map(cut), total: found.length, truncated: found.length > limit };
  },
);

tool(
  "tailLogs",
  "The last lines of a service's logs.",
  { service: Service, lines: z.number().int().min(1).max(500).default(100) },
  async ({ service, lines }) => {
    const all = await linesOf(service);
    return { service, lines: all.slice(-lines).map(cut), truncated: all.length > lines };
  },
);

await server.connect(new StdioServerTransport());

/** Lines of all of a service's files, those of the file that was changed last at the end. */
async function linesOf(service) {
  const files = await filesOf(service);
  if (files.length === 0) throw new Error(`There is no log of ${service} here.`);
  const read = await Promise.all(files.map(readEnd));
  return read.sort((a, b) => a.changed - b.changed).flatMap(({ lines }) => lines);
}

async function filesOf(service) {
  const below = await inside(service).catch(() => null);
  const names = below === null ? [] : (await readdir(below).catch(() => [])).filter((name) => name.endsWith(".log"));
  const paths = [`${service}.log`, ...names.map((name) => join(service, name))];
  const found = await Promise.all(paths.map((path) => inside(path).catch(() => null)));
  return found.filter((path) => path !== null);
}

async function readEnd(path) {
  const file = await open(path);
  try {
    const { size, mtimeMs } = await file.stat();
    const start = Math.max(0, size - READ_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    const texts = buffer.subarray(0, bytesRead).toString("utf8").split("\n");
    if (start > 0) texts.shift(); // half a line
    if (texts.at(-1) === "") texts.pop();
    return { changed: mtimeMs, lines: texts.map((text) => ({ file: basename(path), text })) };
  } finally {
    await file.close();
  }
}

function cut({ file, text }) {
  return { file, text: text.length > LINE_CHARS ? `${text.slice(0, LINE_CHARS)} …` : text };
}

/** @throws {Error} for a path that is not there, or leads out of the folder. */
async function inside(path) {
  const real = await realpath(resolve(root, path));
  if (!real.startsWith(root + sep)) throw new Error(`${path} leads out of the folder that this server may use.`);
  return real;
}

/** A tool whose answer is an object: as structured content, and as text for clients that want that. */
function tool(name, description, inputSchema, run) {
  server.registerTool(name, { description, inputSchema }, async (params) => {
    const answer = await run(params);
    return { structuredContent: answer, content: [{ type: "text", text: JSON.stringify(answer) }] };
  });
}
