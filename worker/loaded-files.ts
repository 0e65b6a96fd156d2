import { stat } from "node:fs/promises";

/** What has changed so shortly before it was read may have been read as it was before: clocks of file systems are coarse. */
const FRESH_MS = 50;

/** Remembers what files were loaded from, so that only those are loaded again of which something has changed. */
export class LoadedFiles {
  private readonly known = new Map<string, Map<string, string>>();

  /** Whether the file and all it imports are as they were when it was loaded. */
  async hasUnchanged(file: string): Promise<boolean> {
    const known = [...(this.known.get(file) ?? [])];
    const now = await Promise.all(known.map(([part]) => stampOf(part)));
    return known.length > 0 && known.every(([, stamp], i) => stamp === now[i]?.stamp);
  }

  /**
   * To be called before the file is loaded.
   *
   * @returns to be called once it is registered, with all that it was loaded from: else it is loaded again.
   */
  async loading(file: string): Promise<(parts: readonly string[]) => Promise<void>> {
    const began = Date.now();
    const own = await stampOf(file);
    this.known.delete(file);
    return async (parts) => {
      const imported = parts.filter((part) => part !== file);
      const stamps = await Promise.all(imported.map(stampOf));
      if (stamps.some(({ changed }) => changed > began - FRESH_MS)) return;
      this.known.set(file, new Map([[file, own.stamp], ...imported.map((part, i) => [part, stamps[i]?.stamp ?? ""] as const)]));
    };
  }

  forget(): void {
    this.known.clear();
  }
}

/** What is not there has a stamp, too. */
function stampOf(file: string): Promise<{ stamp: string; changed: number }> {
  return stat(file).then(
    ({ ino, size, mtimeMs, ctimeMs }) => ({ stamp: [ino, size, mtimeMs, ctimeMs].join(), changed: ctimeMs }),
    () => ({ stamp: "none", changed: 0 }),
  );
}
