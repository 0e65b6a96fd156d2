import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { keyFile, readKeys } from "../key-file.js";

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Which secret a value is: a sealed value opens in the place that it was sealed for and in no other. */
export interface SecretPlace {
  project_id: string;
  name: string;
}

/** A value that none of the keys opens. The message names the secret and the way out, never the value. */
export class UnreadableSecretError extends Error {
  override readonly name = "UnreadableSecretError";
}

/**
 * Seals values with AES-256-GCM for as long as they lie in the database. Keys lie in `<home>/keys/secrets`, made at first need;
 * the first seals, and each sealed value says which one opens it. They are read once, and again when one lacks.
 *
 * A sealed value: `v1.<key>.<iv>.<text and tag>`, the key by 8 hex digits of its SHA-256, the others base64url.
 */
export class SecretBox {
  private keys: Promise<Buffer[]> | undefined;

  constructor(private readonly home: string) {}

  async seal(value: string, place: SecretPlace): Promise<string> {
    const [key] = await this.readKeys();
    if (!key) throw new Error("There is no key to seal secrets with.");
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, key, iv).setAAD(boundTo(place));
    const text = Buffer.concat([cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return ["v1", idOf(key), iv.toString("base64url"), text.toString("base64url")].join(".");
  }

  /** @throws {UnreadableSecretError} */
  async open(sealed: string, place: SecretPlace): Promise<string> {
    const [version, id, iv = "", text = ""] = sealed.split(".");
    if (version !== "v1") throw this.unreadable(place, "it was not sealed by this version of Longhaul");
    const key = (await this.keyOf(id)) ?? (await this.keyOf(id, { again: true }));
    if (!key) throw this.unreadable(place, `${keyFile(this.home, KEYS)} does not hold the key ${id} any more`);
    const bytes = Buffer.from(text, "base64url");
    try {
      const decipher = createDecipheriv(CIPHER, key, Buffer.from(iv, "base64url"), { authTagLength: TAG_BYTES });
      decipher.setAAD(boundTo(place)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString("utf8");
    } catch {
      throw this.unreadable(place, "it is not what was sealed");
    }
  }

  private async keyOf(id: string | undefined, { again = false } = {}): Promise<Buffer | undefined> {
    if (again) this.keys = undefined;
    return (await this.readKeys()).find((key) => idOf(key) === id);
  }

  private readKeys(): Promise<Buffer[]> {
    this.keys ??= readKeys(this.home, KEYS, "the secrets of all projects are sealed with it");
    this.keys.catch(() => {
      this.keys = undefined; // asked for again, it is read again
    });
    return this.keys;
  }

  private unreadable({ name }: SecretPlace, why: string): UnreadableSecretError {
    return new UnreadableSecretError(
      `The secret ${name} cannot be read: ${why}. Set it again, or put the key file back from a backup.`,
    );
  }
}

const KEYS = "secrets";

function boundTo({ project_id, name }: SecretPlace): Buffer {
  return Buffer.from(`${project_id}\0${name}`);
}

function idOf(key: Buffer): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 8);
}
