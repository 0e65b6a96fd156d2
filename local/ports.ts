import { createServer } from "node:net";

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** @throws {Error} naming the setting, when somebody else listens there or the address is none of this machine's. */
export function requirePort(port: number, host: string, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => reject(new Error(refusal(error, port, host, setting))));
    server.listen(port, host, () => server.close(() => resolve()));
  });
}

function refusal(error: NodeJS.ErrnoException, port: number, host: string, setting: string): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `Port ${port} on ${host} is taken. Stop what listens there, or set ${setting} to another port.`;
    case "EACCES":
      return `Port ${port} on ${host} may not be opened by this user. Set ${setting} to a port above 1023.`;
    default:
      return `Cannot listen on ${host}:${port}: ${error.message}. See ${setting} and LONGHAUL_HOST.`;
  }
}
