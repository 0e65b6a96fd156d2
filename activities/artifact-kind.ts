import { extname } from "node:path";
import type { ArtifactType, FileType } from "../contract/artifact.js";

/** What an artifact is, three ways. */
export interface ArtifactKind {
  type: ArtifactType;
  file_type: FileType;
  mime_type: string;
}

/** By the end of a name: the mime type and what kind of file it is. */
const KINDS: Record<string, readonly [mime: string, kind: FileType]> = {
  ...kinds("image", {
    png: "image/png",
    jpg: "image/jpeg",
    jpeg: "image/jpeg",
    gif: "image/gif",
    webp: "image/webp",
    avif: "image/avif",
  }),
  ...kinds("image", { svg: "image/svg+xml", bmp: "image/bmp", ico: "image/x-icon" }),
  ...kinds("video", {
    mp4: "video/mp4",
    webm: "video/webm",
    mov: "video/quicktime",
    mkv: "video/x-matroska",
    avi: "video/x-msvideo",
  }),
  ...kinds("document", { txt: "text/plain", log: "text/plain", md: "text/markdown", pdf: "application/pdf", csv: "text/csv" }),
  ...kinds("document", { html: "text/html", htm: "text/html", rtf: "application/rtf", jsonl: "application/jsonl" }),
  ...kinds("document", {
    docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  }),
  ...kinds("code", {
    js: "text/javascript",
    mjs: "text/javascript",
    cjs: "text/javascript",
    css: "text/css",
    json: "application/json",
  }),
  ...kinds("code", {
    ts: "text/x-typescript",
    tsx: "text/x-typescript",
    jsx: "text/javascript",
    py: "text/x-python",
    go: "text/x-go",
  }),
  ...kinds("code", {
    rs: "text/x-rust",
    java: "text/x-java",
    c: "text/x-c",
    h: "text/x-c",
    cpp: "text/x-c++",
    rb: "text/x-ruby",
  }),
  ...kinds("code", {
    sh: "text/x-shellscript",
    sql: "text/x-sql",
    xml: "application/xml",
    yaml: "application/yaml",
    yml: "application/yaml",
  }),
  ...kinds("code", { toml: "application/toml", diff: "text/x-diff", patch: "text/x-diff" }),
  ...kinds("other", {
    zip: "application/zip",
    gz: "application/gzip",
    tgz: "application/gzip",
    tar: "application/x-tar",
    wasm: "application/wasm",
  }),
};

const UNKNOWN = "application/octet-stream";

/**
 * Fill in what was not said: the mime type from the name, the kind of file from the type or the mime type, and the type from
 * the kind and the name.
 */
export function kindOf(
  name: string,
  given: { type?: ArtifactType | undefined; file_type?: FileType | undefined; mime_type?: string | undefined } = {},
): ArtifactKind {
  const known = KINDS[extname(name).slice(1).toLowerCase()];
  const mime_type = given.mime_type ?? known?.[0] ?? UNKNOWN;
  const file_type = given.file_type ?? (given.mime_type ? undefined : known?.[1]) ?? byType(given.type) ?? byMime(mime_type);
  return { type: given.type ?? typeOf(name, file_type), file_type, mime_type };
}

function byType(type: ArtifactType | undefined): FileType | undefined {
  if (type === "screenshot") return "image";
  return type === undefined || type === "other" || type === "build_output" ? undefined : "document";
}

function byMime(mime: string): FileType {
  if (mime.startsWith("image/")) return "image";
  if (mime.startsWith("video/")) return "video";
  const known = Object.values(KINDS).find(([type]) => type === mime);
  return known?.[1] ?? (mime.startsWith("text/") ? "document" : "other");
}

function typeOf(name: string, file_type: FileType): ArtifactType {
  if (file_type === "image") return "screenshot";
  if (/\.log$/i.test(name)) return "log_file";
  if (/(^|[-_.])(junit|tests?|coverage)[-_.].*\.(xml|json|html|txt|tap)$|(^|[-_.])test-?results?\b/i.test(name))
    return "test_report";
  if (/\.(zip|gz|tgz|tar|wasm)$/i.test(name)) return "build_output";
  return file_type === "document" ? "document" : "other";
}

function kinds(kind: FileType, mimes: Record<string, string>): Record<string, readonly [string, FileType]> {
  return Object.fromEntries(Object.entries(mimes).map(([end, mime]) => [end, [mime, kind] as const]));
}
