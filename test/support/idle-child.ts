import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { untilTold } from "../../local/parent.js";

/**
 * Stands where worker or API will: tells what it was given once it can hear a signal, answers /readyz when its argument says "api", and ends as
 * those do. With "deaf" it ignores SIGTERM, with "broken" it ends at once.
 */
const [, , kind = "worker", journal = "/dev/null"] = process.argv;
const tell = (line: string) => appendFileSync(journal, `${line}\n`);

const told = untilTold();
tell(
  `begin ${process.pid} ${JSON.stringify({ token: process.env.LONGHAUL_TOKEN ?? null, temporal: process.env.TEMPORAL_ADDRESS })}`,
);
if (kind === "broken") {
  console.error("no way to work here");
  process.exit(7);
}
const server = createServer((_, response) => response.end("ready"));
if (kind === "api") server.listen(Number(process.env.LONGHAUL_PORT), process.env.LONGHAUL_HOST);
const alive = setInterval(() => {}, 1_000);

const why = await told;
if (kind !== "deaf") {
  tell(`end ${process.pid} ${why}`);
  clearInterval(alive);
  server.closeAllConnections();
  server.close();
}
