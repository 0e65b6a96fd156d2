import { once } from "node:events";
import { readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Logger } from "pino";
import type { Loader } from "../contract/loader.js";
import type { Project } from "../contract/project.js";
import type { LoadError } from "../contract/workflow.js";
import { type Database, isUnavailable } from "../db/database.js";
import { allProjects } from "../db/projects.js";
import { type FoundFile, otherFileOf, registerBroken, registerLoaded, unregisterMissing } from "../db/registry.js";
import { DEFINITION_FOLDERS } from "../definition/places.js";
import { LoadedFiles } from "./loaded-files.js";

/** New projects and folders are noticed this often; changes of known files at once. */
const LOOK_MS = 1_000;

/** Editors write a file in several steps: what loads after so long a silence is registered. */
const SETTLE_MS = 20;

/** What does not load, or is not there, may still be under way; so much later that is how it is. */
const CERTAIN_MS = 150;

/** What cannot be watched is not waited for. */
const READY_MS = 2_000;

/** A new file that may be what an import means from now on. */
const IMPORTABLE = /\.([cm]?[jt]sx?|json)$/;

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
  private readonly loaded = new Map<string, LoadedFiles>();
  private readonly joined = new Set<string>();
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
          found += await this.inTurn(() => this.scan(project, { certain: true }));
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
    watcher.on("add", (path) => IMPORTABLE.test(path) && this.joined.add(project.id));
    watcher.on("all", () => this.soon(project));
    watcher.on("raw", () => this.soon(project)); // of writes in a row, the others tell the first alone
    watcher.on("error", (error) =>
      this.options.log.warn({ project: project.path, error: String(error) }, "cannot watch for changes"),
    );
    this.watchers.set(project.id, watcher);
    // What changes before it watches must not be missed.
    if (folders.length > 0) await once(watcher, "ready", { signal: AbortSignal.timeout(READY_MS) }).catch(() => {});
  }

  private soon(project: Project): void {
    if (this.stopped) return;
    const due = (ms: number, act: () => void) => {
      clearTimeout(this.due.get(project.id));
      this.due.set(project.id, setTimeout(act, ms));
    };
    due(SETTLE_MS, () => {
      due(CERTAIN_MS, () => this.rescan(project, { certain: true }));
      this.rescan(project, { certain: false });
    });
  }

  private rescan(project: Project, how: { certain: boolean }): void {
    this.inTurn(() => this.scan(project, how)).catch((error: unknown) => {
      this.seen.delete(project.id); // the next look scans again
      if (!isUnavailable(error)) this.options.log.warn({ project: project.path, error: String(error) }, "definitions not read");
    });
  }

  private inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const done = this.work.then(act);
    this.work = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  /** Load every file of the project that is not as it was, and register what differs; what is wrong, once that is certain. */
  private async scan(project: Project, { certain }: { certain: boolean }): Promise<number> {
    const { db } = this.options;
    const loaded = this.loaded.get(project.id) ?? new LoadedFiles();
    this.loaded.set(project.id, loaded);
    if (certain && this.joined.delete(project.id)) loaded.forget();
    const paths = (
      await Promise.all(Object.entries(DEFINITION_FOLDERS).map(([folder, files]) => filesOf(project, folder, files)))
    ).flat();
    for (const path of paths) {
      const file = join(project.path, path);
      if (await loaded.hasUnchanged(file)) continue;
      const remember = await loaded.loading(file);
      const source = await readFile(file, "utf8").catch(() => null);
      if (source === null) continue;
      const isCurrent = async () => (await readFile(file, "utf8").catch(() => null)) === source;
      const parts = await this.register(project, { project_id: project.id, path, source, isCurrent }, certain);
      if (parts) await remember(parts);
    }
    const isThere = (path: string) => exists(join(project.path, path));
    if (certain) await unregisterMissing(db, project.id, { present: paths, isThere });
    return paths.length;
  }

  /** Gives all files that it was loaded from; null when it is to be loaded again in any case. */
  private async register(project: Project, file: FoundFile, certain: boolean): Promise<string[] | null> {
    const { db, loader, log } = this.options;
    const result = await loader.load(join(project.path, file.path), project.path);
    if (!result.ok) {
      if (certain) await this.refuse(file, result.error);
      return null;
    }
    const { name } = result.workflow;
    const other = await otherFileOf(db, file, name);
    if (other && !certain) return null; // it may be about to go, or just being written
    if (other && (await exists(join(project.path, other)))) {
      const message = `"${name}" is already the workflow of ${other}. Give one of them another name.`;
      await registerBroken(db, file, { message, file: file.path, line: null, column: null });
      return null;
    }
    if (await registerLoaded(db, file, result.workflow)) log.info(`${file.path}: workflow "${name}" is ready`);
    return result.files;
  }

  private refuse(file: FoundFile, error: LoadError): Promise<void> {
    const place = [error.file, error.line, error.column].filter((part) => part !== null).join(":");
    this.options.log.warn(`${place}: ${error.message}`);
    return registerBroken(this.options.db, file, error);
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

async function filesOf(project: Project, folder: string, files: RegExp): Promise<string[]> {
  const names = await readdir(join(project.path, folder)).catch(() => [] as string[]);
  return names
    .filter((name) => files.test(name))
    .sort()
    .map((name) => `${folder}/${name}`);
}

async function existing(project: Project): Promise<string[]> {
  const folders = Object.keys(DEFINITION_FOLDERS).map((folder) => join(project.path, folder));
  const there = await Promise.all(folders.map(exists));
  return folders.filter((_, i) => there[i]);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
