// A program in a network namespace, which reaches Temporal and Postgres over the namespace's link: `behind-link.js <namespace> <address> <script>`.
// Both listen on loopback alone; at this end of the link what comes for them is handed on.
import { spawn } from "node:child_process";
import { connect, createServer, type Socket } from "node:net";

const [namespace = "", address = "", script = ""] = process.argv.slice(2);
const { TEMPORAL_ADDRESS = "", DATABASE_URL = "" } = process.env;

const database = new URL(DATABASE_URL);
database.host = `${address}:${await handOn(Number(database.port))}`;
const temporal = `${address}:${await handOn(Number(TEMPORAL_ADDRESS.split(":").at(-1)))}`;
const env = { ...process.env, TEMPORAL_ADDRESS: temporal, DATABASE_URL: database.href, NO_PROXY: address, no_proxy: address };
const child = spawn("ip", ["netns", "exec", namespace, process.execPath, script], { env, stdio: "inherit" });
child.once("exit", (code) => process.exit(code ?? 1));
process.on("SIGTERM", () => child.kill("SIGTERM"));

/** @returns the port at this end of the link. */
function handOn(port: number): Promise<number> {
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    join(near, far);
    join(far, near);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, address, () => {
      const at = server.address();
      if (typeof at === "object" && at) resolve(at.port);
    });
  });
}

function join(from: Socket, to: Socket): void {
  from.pipe(to);
  from.once("error", () => to.destroy());
  from.once("close", () => to.destroy());
}
