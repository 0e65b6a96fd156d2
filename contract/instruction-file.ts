/** A file of the project whose text was put into an agent's system prompt. */
export interface InstructionFile {
  kind: "role" | "profile" | "skill";
  name: string;
  /** Relative to the project. */
  path: string;
  /** Of the file as it was read. */
  sha256: string;
}
