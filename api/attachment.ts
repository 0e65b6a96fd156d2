import type { FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import type { Request, Response } from "express";

/** Send an open file as a download that no page can run, and close it. */
export async function sendAttachment(
  req: Request,
  res: Response,
  { handle, name, mimeType, size }: { handle: FileHandle; name: string; mimeType: string; size: number },
): Promise<void> {
  res.writeHead(200, {
    "Content-Type": /^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/.test(mimeType) ? mimeType : "application/octet-stream",
    "Content-Length": size,
    ...attachmentHeaders(name),
  });
  if (req.method === "HEAD" || size === 0) {
    await handle.close();
    res.end();
    return;
  }
  try {
    await pipeline(handle.createReadStream({ start: 0, end: size - 1, autoClose: true }), res);
  } catch {
    // The client went, or the file was cut meanwhile: a broken connection says so.
    res.destroy();
  }
}

export function attachmentHeaders(name: string): Record<string, string> {
  return {
    "Content-Disposition": contentDisposition(name),
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
  };
}

/** The name twice (RFC 6266): plain ASCII for old readers, and encoded whole, so that it can end neither quotes nor line. */
export function contentDisposition(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const whole = encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\uFFFD")).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`;
}
