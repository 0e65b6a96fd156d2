import { setTimeout as delay } from "node:timers/promises";
import { DEFAULT_SETTINGS, type ProjectSettings } from "../contract/project-settings.js";
import { isUnavailable } from "../db/database.js";
import type { SecretPlace } from "../db/secret-box.js";
import type { SealedAccess } from "../db/secrets.js";
import { StepFailure } from "./failure.js";
import { NO_MASK, SecretMask } from "./secret-mask.js";

/** What a project's steps may have, opened: it stays in this process. */
export interface ProjectAccess {
  settings: ProjectSettings;
  secrets: ReadonlyMap<string, string>;
  /** Why a secret cannot be opened, by its name. */
  unreadable: ReadonlyMap<string, string>;
  /** Hides every secret of the project, whichever step was given it, and those of the installation. */
  mask: SecretMask;
}

/** Of a project without settings and secrets. */
const NO_ACCESS: ProjectAccess = {
  settings: DEFAULT_SETTINGS,
  secrets: new Map(),
  unreadable: new Map(),
  mask: NO_MASK,
};

export interface AccessQuestion {
  projectId: string;
  /** As it is now: it is given to something, not only hidden. @default false */
  isFresh?: boolean | undefined;
  signal: AbortSignal;
}

export type ReadAccess = (question: AccessQuestion) => Promise<ProjectAccess>;

export interface AccessOptions {
  read(projectId: string): Promise<SealedAccess>;
  open(sealed: string, place: SecretPlace): Promise<string>;
  warn?: ((message: string, error: unknown) => void) | undefined;
}

/** Milliseconds for which what was read is good enough to hide by. */
const GOOD_MS = 1_000;
/** Milliseconds until a database that is away is asked again. */
const PATIENCE_MS = 1_000;

interface Known {
  /** The rows it was made of. */
  rows: string;
  access: ProjectAccess;
  at: number;
}

/**
 * Reads what the steps of projects may have. With Postgres away it waits, but for steps that need it only to hide by: those go
 * on with what was read last.
 */
export function createAccess({ read, open, warn }: AccessOptions): ReadAccess {
  const known = new Map<string, Known>();

  async function current(projectId: string): Promise<ProjectAccess> {
    const found = await read(projectId);
    const rows = JSON.stringify(found);
    const before = known.get(projectId);
    const access = before?.rows === rows ? before.access : await opened(projectId, found);
    known.set(projectId, { rows, access, at: Date.now() });
    return access;
  }

  async function opened(projectId: string, { settings, sealed }: SealedAccess): Promise<ProjectAccess> {
    const secrets = new Map<string, string>();
    const unreadable = new Map<string, string>();
    for (const { name, value } of sealed) {
      try {
        secrets.set(name, await open(value, { project_id: projectId, name }));
      } catch (error) {
        unreadable.set(name, error instanceof Error ? error.message : String(error));
        warn?.(`The secret ${name} of project ${projectId} cannot be read, and is not hidden.`, error);
      }
    }
    return { settings, secrets, unreadable, mask: new SecretMask(secrets.values()) };
  }

  return async ({ projectId, isFresh, signal }) => {
    const last = known.get(projectId);
    if (last && !isFresh && Date.now() - last.at < GOOD_MS) return last.access;
    for (;;) {
      try {
        return await current(projectId);
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        if (last && !isFresh) {
          last.at = Date.now(); // who comes next need not ask in vain
          return last.access;
        }
        await delay(PATIENCE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  };
}

/** What the project of a run may have, by what activities stand on. */
export async function accessTo(
  { access: read, mask: own = NO_MASK }: { access?: ReadAccess | undefined; mask?: SecretMask | undefined },
  question: AccessQuestion,
): Promise<ProjectAccess> {
  const access = (await read?.(question)) ?? NO_ACCESS;
  const mask = masks.get(access.mask) ?? own.with(access.mask);
  if (access !== NO_ACCESS) masks.set(access.mask, mask);
  return { ...access, mask };
}

/** Of a project and the installation, made once for many steps. */
const masks = new WeakMap<SecretMask, SecretMask>();

/**
 * What the processes of a step get of a project: the variables that its settings allow, and the secrets that the step names.
 *
 * @throws {StepFailure} `secret_missing`, `secret_unreadable`, naming all of them and the way out.
 */
export function environmentOf(
  { settings, secrets, unreadable }: ProjectAccess,
  names: readonly string[],
  own: NodeJS.ProcessEnv,
): Record<string, string> {
  const missing = names.filter((name) => !secrets.has(name) && !unreadable.has(name));
  if (missing.length > 0) throw new StepFailure("secret_missing", describeMissing(missing));
  const why = names.flatMap((name) => unreadable.get(name) ?? []);
  if (why.length > 0) throw new StepFailure("secret_unreadable", why.join(" "));

  const allowed = settings.env_allow.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]));
  return Object.fromEntries([...allowed, ...names.map((name) => [name, secrets.get(name) ?? ""] as const)]);
}

function describeMissing(names: readonly string[]): string {
  const [first] = names;
  const what = names.length === 1 ? `no secret ${first}` : `no secrets ${names.join(" and ")}`;
  return `The project has ${what}, which this step names. Set it with "longhaul secrets set ${first}", or take the name out of the step.`;
}
