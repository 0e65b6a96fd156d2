import { expect, test } from "vitest";
import { Logins } from "./login-codes.js";

const logins = new Logins("a-token-for-tests");

test("a code is good once, for a minute", () => {
  const { code } = logins.newCode("ana", 0);
  const late = logins.newCode("ana", 0);

  expect(logins.redeem(code, 59_999)).not.toBeNull();
  expect(logins.redeem(code, 59_999)).toBeNull();
  expect(logins.redeem(late.code, 60_000)).toBeNull();
});

test("a session is good for 30 days, for one user and for one token", () => {
  const session = logins.redeem(logins.newCode("ana", 0).code, 1)?.session ?? "";
  const [until = "", user = "", signature = ""] = session.split(".");

  expect(logins.userOf(session, 1000)).toBe("ana");
  expect(logins.userOf(session, Number(until))).toBeNull();
  expect(logins.userOf(`${Number(until) + 1}.${user}.${signature}`, 1000)).toBeNull();
  expect(logins.userOf(`${until}.local.${signature}`, 1000)).toBeNull();
  expect(new Logins("another-token").userOf(session, 1000)).toBeNull();
  expect(logins.userOf("", 1000)).toBeNull();
});
