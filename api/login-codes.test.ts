import { expect, test } from "vitest";
import { Logins } from "./login-codes.js";

const logins = new Logins("a-token-for-tests");

test("a code is good once, for a minute", () => {
  const { code } = logins.newCode(0);
  const late = logins.newCode(0);

  expect(logins.redeem(code, 59_999)).not.toBeNull();
  expect(logins.redeem(code, 59_999)).toBeNull();
  expect(logins.redeem(late.code, 60_000)).toBeNull();
});

test("a session is good for 30 days, and for one token", () => {
  const session = logins.redeem(logins.newCode(0).code, 1)?.session ?? "";
  const [until = "", signature = ""] = session.split(".");

  expect(logins.isSession(session, 1000)).toBe(true);
  expect(logins.isSession(session, Number(until))).toBe(false);
  expect(logins.isSession(`${Number(until) + 1}.${signature}`, 1000)).toBe(false);
  expect(new Logins("another-token").isSession(session, 1000)).toBe(false);
  expect(logins.isSession("", 1000)).toBe(false);
});
