// `npm run loopback`: the tests on a machine that has no network but loopback, and how often something tried to leave it.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { packageRoot } from "../package-root.js";
import { temporalBinary } from "./faults/servers.js";

const INSIDE = "--inside";
const script = process.argv[1] ?? "";
const given = process.argv.slice(2).filter((argument) => argument !== INSIDE);

process.exitCode = process.argv.includes(INSIDE) ? runInside() : await runOutside();

/** Fetches what is fetched before tests, then goes on in a network of its own. */
async function runOutside(): Promise<number> {
  await temporalBinary();
  const alone = [...(process.getuid?.() === 0 ? [] : ["--user", "--map-current-user", "--keep-caps"]), "--net"];
  const up = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
  if (spawnSync("unshare", [...alone, ...up, "true"], { stdio: "inherit" }).status !== 0) {
    console.error("SKIPPED, nothing was proven: this needs Linux, unshare and ip, and the right to make a network namespace.");
    return 2;
  }
  // A proxy on loopback would be a way out that nobody counts.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name)));
  const inside = [...up, process.execPath, script, INSIDE, ...given];
  return spawnSync("unshare", [...alone, ...inside], { cwd: packageRoot, stdio: "inherit", env }).status ?? 1;
}

function runInside(): number {
  const tests = spawnSync(process.execPath, ["test/run-tests.mjs", ...given], { stdio: "inherit" });
  const left = packetsWithoutRoute();
  console.log(
    `loopback: tests ${tests.status === 0 ? "passed" : "FAILED"} with loopback alone; tries to reach anything else: ${left}`,
  );
  return tests.status === 0 && left === 0 ? 0 : 1;
}

/** What the kernel refused in this network namespace for want of a way there: each connection, question to a name server or packet. */
function packetsWithoutRoute(): number {
  const [names = "", counts = ""] = readFileSync("/proc/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Ip:"));
  const ip4 = Number(counts.split(" ")[names.split(" ").indexOf("OutNoRoutes")]);
  const ip6 = Number(/^Ip6OutNoRoutes\s+(\d+)$/m.exec(readFileSync("/proc/net/snmp6", "utf8"))?.[1]);
  return ip4 + ip6;
}
