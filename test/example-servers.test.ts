import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../contract/json.js";
import { packageRoot } from "../package-root.js";
import { testFolder } from "./support/stack.js";
import { ToolProject } from "./support/tool-project.js";

let project: ToolProject;
let root: string;
let secret: string;

beforeEach(() => {
  project = new ToolProject();
  root = realpathSync(testFolder());
  secret = realpathSync(testFolder());
  writeFileSync(join(secret, "app.log"), "nobody's business\n");
  const server = (name: string, ...args: string[]) => ({
    command: process.execPath,
    args: [join(packageRoot, "examples/servers", name, "server.mjs"), ...args],
  });
  project.configure({ deploy: server("deploy", root, `\${project}`), observability: server("observability", root) });
});
afterEach(() => project.stop());

const use = async (tool: string, params: JsonObject) => (await project.use(tool, params)).value;

describe("the example server that deploys", { timeout: 30_000 }, () => {
  const build = (text: string) => {
    mkdirSync(join(project.path, "out"), { recursive: true });
    writeFileSync(join(project.path, "out/index.html"), text);
  };
  const served = () => readFileSync(join(root, "web/current/index.html"), "utf8");

  test("releases a folder by switching a link, once for the same content", async () => {
    build("one");
    const first = await use("deploy.deploy", { service: "web", source: "out" });
    expect(served()).toBe("one");
    expect(await use("deploy.deploy", { service: "web", source: "out" })).toMatchObject({
      current_release: (first as JsonObject).current_release,
      previous_release: null,
    });

    build("two");
    expect(await use("deploy.deploy", { service: "web", source: "out", release: "v2" })).toMatchObject({
      current_release: "v2",
      previous_release: (first as JsonObject).current_release,
    });
    expect(served()).toBe("two");
  });

  test("goes back to the release before, or to one that is named", async () => {
    for (const text of ["one", "two", "three"]) {
      build(text);
      await use("deploy.deploy", { service: "web", source: "out", release: text });
    }

    expect(await use("deploy.rollback", { service: "web" })).toMatchObject({ current_release: "two", previous_release: "one" });
    expect(served()).toBe("two");
    await use("deploy.rollback", { service: "web", release: "one" });
    expect(served()).toBe("one");
    expect(await use("deploy.getStatus", { service: "web" })).toMatchObject({ current_release: "one", previous_release: null });
    await expect(use("deploy.rollback", { service: "web" })).rejects.toMatchObject({ type: "tool_failed" });

    build("four");
    expect(await use("deploy.deploy", { service: "web", source: "out" })).toMatchObject({ previous_release: "one" });
  });

  test("keeps the five newest releases", async () => {
    for (let i = 1; i <= 6; i++) {
      build(`${i}`);
      await use("deploy.deploy", { service: "web", source: "out", release: `r${i}` });
    }

    const { releases } = (await use("deploy.listReleases", { service: "web" })) as { releases: { release: string }[] };
    expect(releases.map(({ release }) => release)).toEqual(["r6", "r5", "r4", "r3", "r2"]);
    expect(readdirSync(join(root, "web/releases")).sort()).toEqual(["r2", "r3", "r4", "r5", "r6"]);
  });

  test("takes no folder but below its sources, and no link that leads out", async () => {
    build("one");
    symlinkSync(secret, join(project.path, "away"));
    symlinkSync(join(secret, "app.log"), join(project.path, "out/link"));

    for (const source of ["..", "/etc", "away", "out"]) {
      await expect(use("deploy.deploy", { service: "web", source }), source).rejects.toMatchObject({
        type: "tool_failed",
        message: expect.stringContaining("leads out"),
      });
    }
    await expect(use("deploy.getStatus", { service: "../web" })).rejects.toMatchObject({ type: "tool_invalid_params" });
    expect(readdirSync(join(root, "web")).includes("current")).toBe(false);
  });
});

describe("the example server that looks into logs", { timeout: 30_000 }, () => {
  beforeEach(() => {
    mkdirSync(join(root, "api"));
    writeFileSync(join(root, "api/old.log"), "started\nError: one\n");
    writeFileSync(join(root, "api.log"), "started\nerror: two\nfine\n(a+)+$\n");
    utimesSync(join(root, "api/old.log"), 1_000, 1_000);
  });

  test("finds lines that hold a text", async () => {
    const { matches, total } = (await use("observability.searchLogs", { service: "api", query: "ERROR" })) as JsonObject;

    expect(total).toBe(2);
    expect(matches).toEqual(
      expect.arrayContaining([
        { file: "old.log", text: "Error: one" },
        { file: "api.log", text: "error: two" },
      ]),
    );
    expect(await use("observability.searchLogs", { service: "api", query: "(a+)+$", limit: 1 })).toMatchObject({ total: 1 });
  });

  test("shows the last lines", async () => {
    expect(await use("observability.tailLogs", { service: "api", lines: 1 })).toEqual({
      service: "api",
      lines: [{ file: "api.log", text: "(a+)+$" }],
      truncated: true,
    });
  });

  test("reads nothing outside its folder", async () => {
    symlinkSync(join(secret, "app.log"), join(root, "other.log"));

    await expect(use("observability.tailLogs", { service: "other" })).rejects.toMatchObject({
      message: "There is no log of other here.",
    });
    await expect(use("observability.tailLogs", { service: "../x" })).rejects.toMatchObject({ type: "tool_invalid_params" });
  });
});
