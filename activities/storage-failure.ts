import { StepFailure } from "./failure.js";

const WORDS: Record<string, string> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be larger than the system allows",
  EROFS: "the file system can only be read",
  EACCES: "Longhaul may not write there",
  EIO: "the disk does not work",
};

/** Why something could not be stored, as a `storage_failed`; an error of another kind comes back as it is. */
export function storageFailure(error: unknown, path: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = WORDS[code];
  if (!why) return error;
  return new StepFailure("storage_failed", `${path} could not be written: ${why} (${code}).`, undefined, { cause: error });
}
