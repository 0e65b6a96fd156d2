import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { apiUrl } from "../config.js";
import { testFolder } from "../test/support/stack.js";
import { keptToken } from "./connection.js";

test("the token kept in a home is shown to this machine alone", () => {
  const home = join(testFolder(), "home");
  mkdirSync(home);
  writeFileSync(join(home, "token"), "secret-of-this-machine\n");

  const shown = (url: string) => keptToken({ home }, url);
  expect(shown("http://127.0.0.1:3456")).toBe("secret-of-this-machine");
  expect(shown("http://[::1]:3456")).toBe("secret-of-this-machine");
  expect(shown("https://longhaul.example.com")).toBeNull();
  expect(shown("http://127.0.0.1.example.com")).toBeNull();
  expect(shown("http://localhost@example.com")).toBeNull();
});

test("a host that listens everywhere is asked on loopback", () => {
  const url = undefined;
  expect(apiUrl({ host: "0.0.0.0", port: 1, url })).toBe("http://127.0.0.1:1");
  expect(apiUrl({ host: "::", port: 1, url })).toBe("http://[::1]:1");
  expect(apiUrl({ host: "127.0.0.1", port: 1, url: "https://there:2" })).toBe("https://there:2");
});
