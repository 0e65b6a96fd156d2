import { expect, test } from "vitest";
import { isBranchName } from "./branch-name.js";

test.each(["main", "feature/login-2", "release/1.0", "a", "ünïcode"])("%j is a branch", (name) => {
  expect(isBranchName(name)).toBe(true);
});

test.each([
  "",
  "-f",
  "--output=/x",
  "--orphan",
  "a..b",
  "@{-1}",
  "x.lock",
  "a/x.lock/b",
  " ",
  "a b",
  "a\0",
  "@",
  "HEAD",
  "/a",
  "a/",
  "a//b",
  ".a",
  "a/.b",
  "a.",
  "a~1",
  "a^",
  "a:b",
  "a?",
  "a*",
  "a[",
  "a\\b",
  "a\u007f",
])("%j is none", (name) => {
  expect(isBranchName(name)).toBe(false);
});
