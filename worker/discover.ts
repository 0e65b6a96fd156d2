import { readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Logger } from "pino";
import type { Loader } from "../contract/loader.js";
import type { Project } from "../contract/project.js";
import { type Database, isUnavailable } from "../db/database.js";
import { allProjects } from "../db/projects.js";
import { type FoundFile, otherFileOf, registerBroken, registerLoaded, unregisterMissing } from "../db/registry.js";

/** Where definition files lie, relative to a project. */
const FOLDERS = [".agent/workflows/definitions", ".agent/workflows/templates"];

/** New projects and folders are noticed this often; changes of known files at once. */
const LOOK_MS = 1_000;

/** Editors write a file in several steps. */
const SETTLE_MS = 60;

export interface DiscoveryOptions {
  db: Database;
  loader: Loader;
  log: Logger;
  /** A copy of the project list is kept here as `projects.json`. */
  home: string;
}

/**
 * Finds the definition files of all projects, on start and whenever they change, and keeps the registry of
 * workflows in step. A file that does not load is listed with its error and disturbs no other.
 */
export class Discovery {
  private readonly watchers = new Map<string, FSWatcher>();
  private readonly seen = new Map<string, string>();
  private readonly due = new Map<string, NodeJS.Timeout>();
  private timer: NodeJS.Timeout | undefined;
  private work: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly options: DiscoveryOptions) {}

  /** Resolves when all files that are there have been registered. */
  async start(): Promise<void> {
    const { log } = this.options;
    const found = await this.look();
    log.info(`Discovered ${found} workflows`);
    this.again();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const timer of this.due.values()) clearTimeout(timer);
    await Promise.all([...this.watchers.values()].map((watcher) => watcher.close()));
    await this.work;
  }

  private again(): void {
    this.timer = setTimeout(() => {
      void this.look().finally(() => {
        if (!this.stopped) this.again();
      });
    }, LOOK_MS);
  }

  private async look(): Promise<number> {
    const { db, log } = this.options;
    try {
      const projects = await allProjects(db);
      await this.keepCopy(projects);
      let found = 0;
      for (const project of projects) {
        const isNew = !this.seen.has(project.id);
        const folders = await existing(project);
        const known = folders.join("\0");
        if (isNew || this.seen.get(project.id) !== known) {
          await this.watch(project, folders);
          found += await this.scan(project);
          this.seen.set(project.id, known);
        }
      }
      return found;
    } catch (error) {
      if (!isUnavailable(error)) log.warn({ error: String(error) }, "discovery failed; trying again");
      return 0;
    }
  }

  private async watch(project: Project, folders: string[]): Promise<void> {
    await this.watchers.get(project.id)?.close();
    const watcher = watch(folders, { ignoreInitial: true, depth: 3 });
    watcher.on("all", () => this.soon(project));
    watcher.on("error", (error) =>
      this.options.log.warn({ project: project.path, error: String(error) }, "cannot watch for changes"),
    );
    this.watchers.set(project.id, watcher);
  }

  private soon(project: Project): void {
    clearTimeout(this.due.get(project.id));
    const act = () => {
      this.work = this.work
        .then(() => this.scan(project))
        .then(() => undefined)
        .catch((error: unknown) => {
          this.seen.delete(project.id); // the next look scans again
          if (!isUnavailable(error))
            this.options.log.warn({ project: project.path, error: String(error) }, "definitions not read");
        });
    };
    this.due.set(project.id, setTimeout(act, SETTLE_MS));
  }

  /** Load every file of the project and register what differs. */
  private async scan(project: Project): Promise<number> {
    const { db } = this.options;
    const paths = (await Promise.all(FOLDERS.map((folder) => filesOf(project, folder)))).flat();
    for (const path of paths) {
      const source = await readFile(join(project.path, path), "utf8").catch(() => null);
      if (source !== null) await this.register(project, { project_id: project.id, path, source });
    }
    await unregisterMissing(db, project.id, paths);
    return paths.length;
  }

  private async register(project: Project, file: FoundFile): Promise<void> {
    const { db, loader, log } = this.options;
    const result = await loader.load(join(project.path, file.path), project.path);
    if (!result.ok) {
      const { message, line, column } = result.error;
      const place = [result.error.file, line, column].filter((part) => part !== null).join(":");
      log.warn(`${place}: ${message}`);
      return registerBroken(db, file, result.error);
    }
    const { name } = result.workflow;
    const other = await otherFileOf(db, file, name);
    if (other && (await exists(join(project.path, other)))) {
      const message = `"${name}" is already the workflow of ${other}. Give one of them another name.`;
      return registerBroken(db, file, { message, file: file.path, line: null, column: null });
    }
    if (await registerLoaded(db, file, result.workflow)) log.info(`${file.path}: workflow "${name}" is ready`);
  }

  private async keepCopy(projects: Project[]): Promise<void> {
    const copy = `${JSON.stringify(projects, null, 2)}\n`;
    if (this.seen.get("copy") === copy) return;
    const file = join(this.options.home, "projects.json");
    await writeFile(`${file}.new`, copy, { mode: 0o600 });
    await rename(`${file}.new`, file);
    this.seen.set("copy", copy);
  }
}

async function filesOf(project: Project, folder: string): Promise<string[]> {
  const names = await readdir(join(project.path, folder)).catch(() => [] as string[]);
  return names
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts") && !name.endsWith(".test.ts"))
    .sort()
    .map((name) => `${folder}/${name}`);
}

async function existing(project: Project): Promise<string[]> {
  const folders = FOLDERS.map((folder) => join(project.path, folder));
  const there = await Promise.all(folders.map(exists));
  return folders.filter((_, i) => there[i]);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
