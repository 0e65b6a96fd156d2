import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import { accessToken, openHome } from "./home.js";
import { homeOwner } from "./home-lock.js";

const isRoot = process.getuid?.() === 0;

describe("the home", () => {
  test("is made where there was none, closed to others, with its token kept in a file that only its user reads", () => {
    const folder = join(testFolder(), "a", "home");
    const home = openHome(folder);
    expect(statSync(home.path).mode & 0o777).toBe(0o700);
    expect(statSync(join(home.path, "keys")).mode & 0o777).toBe(0o700);

    const token = accessToken(home.path);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(accessToken(home.path)).toBe(token);
    expect(statSync(join(home.path, "token")).mode & 0o777).toBe(0o600);
    expect(accessToken(home.path, "a token of the user")).toBe("a token of the user");
    home.close();
    expect(readdirSync(home.path).sort()).toEqual(["keys", "logs", "token"]);
  });

  test("is closed to others when it was open before", () => {
    const folder = join(testFolder(), "home");
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    openHome(folder).close();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test("belongs to one server: a second start is refused with the pid of the first", () => {
    const folder = join(testFolder(), "home");
    const home = openHome(folder);
    expect(() => openHome(folder)).toThrow(`runs on ${folder} already (pid ${process.pid})`);
    expect(homeOwner(folder)).toBe(process.pid);
    home.close();
    expect(homeOwner(folder)).toBeUndefined();
    openHome(folder).close();
  });

  test("a lock of a process that is gone, of a number that is another's now, or cut short does not count", () => {
    const folder = join(testFolder(), "home");
    mkdirSync(folder);
    for (const left of ['{"pid":4194000,"started":"1"}', `{"pid":${process.ppid},"started":"1"}`, "{"]) {
      writeFileSync(join(folder, "lock"), left);
      openHome(folder).close();
    }
    expect(existsSync(join(folder, "lock"))).toBe(false);
  });

  test("of ten starts at once over a stale lock exactly one wins", async () => {
    const folder = join(testFolder(), "home");
    mkdirSync(folder);
    writeFileSync(join(folder, "lock"), '{"pid":4194000,"started":"1"}');
    const results = await Promise.all(
      Array.from({ length: 10 }, () =>
        Promise.resolve()
          .then(() => openHome(folder))
          .catch((error: Error) => error),
      ),
    );
    expect(results.filter((result) => !(result instanceof Error))).toHaveLength(1);
  });

  test("one that is a file, or cannot be made, is refused by its setting", () => {
    const file = join(testFolder(), "file");
    writeFileSync(file, "");
    expect(() => openHome(file)).toThrow(`LONGHAUL_HOME is ${file}, which cannot be written`);
    expect(() => openHome("/proc/home")).toThrow("Set LONGHAUL_HOME to a folder");
  });

  test.runIf(isRoot && process.platform === "linux")(
    "a read-only disk and one that runs no programs are refused by the setting",
    () => {
      const folder = testFolder();
      try {
        execFileSync("mount", ["-t", "tmpfs", "-o", "noexec", "none", folder], { stdio: "ignore" });
      } catch {
        console.warn("Not shown here: this machine does not let us mount.");
        return;
      }
      onTestFinished(() => void execFileSync("umount", [folder]));
      expect(() => openHome(join(folder, "home"))).toThrow("from which no program can be run");
      execFileSync("mount", ["-o", "remount,ro", folder]);
      expect(() => openHome(join(folder, "home"))).toThrow(/LONGHAUL_HOME is .*cannot be written/);
    },
  );

  test("a running process that is only named like ours is not taken for the owner", () => {
    const other = spawn("sleep", ["60"]);
    onTestFinished(() => void other.kill());
    const folder = join(testFolder(), "home");
    mkdirSync(folder);
    writeFileSync(join(folder, "lock"), JSON.stringify({ pid: other.pid, started: "12" }));
    const home = openHome(folder);
    expect(JSON.parse(readFileSync(join(folder, "lock"), "utf8")).pid).toBe(process.pid);
    home.close();
  });
});
