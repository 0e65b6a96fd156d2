import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Express } from "express";
import { problemDocument } from "./problem.js";

/** Bytes of all headers of a request. */
const MOST_HEADERS = 16_384;

/**
 * A server that no client can hold up: headers must be there within 15 s and a whole request within 5 minutes (an
 * upload may be slow), and what is broken before it reaches a route is answered as a problem, too.
 */
export function createApiServer(app: Express): Server {
  const server = createServer(
    {
      maxHeaderSize: MOST_HEADERS,
      headersTimeout: 15_000,
      requestTimeout: 300_000,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: 2_000,
      // A missing host is refused as a foreign one is.
      requireHostHeader: false,
    },
    app,
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    refuse(socket as Socket, error.code ?? "");
  });
  // What asks to speak another protocol is given none.
  server.on("upgrade", (_req, socket) => socket.destroy());
  server.on("connect", (_req, socket) => socket.destroy());
  return server;
}

function refuse(socket: Socket, code: string): void {
  const [status, reason, name, detail] =
    code === "HPE_HEADER_OVERFLOW"
      ? ([431, "Request Header Fields Too Large", "headers_too_large", `Headers may have ${MOST_HEADERS} bytes.`] as const)
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ([408, "Request Timeout", "timeout", "The request did not come in in time."] as const)
        : ([400, "Bad Request", "malformed", "This is not HTTP."] as const);
  const body = JSON.stringify(problemDocument(status, name, detail));
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "X-Content-Type-Options: nosniff",
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
