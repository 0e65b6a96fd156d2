import { mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { refusing } from "../../test/support/agent-refusing.js";
import { testFolder } from "../../test/support/stack.js";
import { outcomeOf, permit } from "./acp-permit.js";
import type { Permitted } from "./permit.js";
import type { Permission } from "./provider.js";

const cwd = mkdtempSync(join(testFolder(), "tree-"));
mkdirSync(join(cwd, "src"));
symlinkSync("/etc", join(cwd, "out"));
symlinkSync("/nowhere/at/all", join(cwd, "broken"));

test.each<[Permission, string, string[], boolean]>([
  ["plan", "read", ["src/a.ts"], true],
  ["plan", "edit", ["src/a.ts"], false],
  ["plan", "execute", [], false],
  ["default", "search", [], true],
  ["default", "edit", ["src/a.ts"], false],
  ["default", "fetch", [], false],
  ["acceptEdits", "edit", ["src/a.ts", "new/b.ts"], true],
  ["acceptEdits", "delete", [join(cwd, "src/a.ts")], true],
  ["acceptEdits", "edit", [], false],
  ["acceptEdits", "edit", ["src/a.ts", "../a.ts"], false],
  ["acceptEdits", "edit", ["/etc/passwd"], false],
  ["acceptEdits", "edit", ["out/passwd"], false],
  ["acceptEdits", "edit", ["broken"], false],
  ["acceptEdits", "edit", [".git/config"], false],
  ["acceptEdits", "execute", [], false],
  ["bypassPermissions", "execute", [], true],
])("%s, asked to %s %j: %s", async (permission, kind, paths, isAllowed) => {
  const call = { toolCallId: "1", kind, title: "It", locations: paths.map((path) => ({ path })) };
  const permitted = await permit(call, { permission, cwd, permit: refusing(permission) });

  const denial = { tool: kind, input: { description: "It" }, reason: expect.stringContaining(kind) };
  if (isAllowed) expect(permitted).toEqual({ allow: true });
  else expect(permitted).toMatchObject({ denial });
});

test("a kind of tool that is not told may do nothing", async () => {
  const request = { permission: "acceptEdits", cwd, permit: refusing("acceptEdits") } as const;
  expect(await permit({ toolCallId: "1", title: "my_tool" }, request)).toMatchObject({ denial: { tool: "my_tool" } });
});

test("what people allow may be done, and what they are to decide halts the turn", async () => {
  const call = { toolCallId: "1", kind: "execute", title: "It" };
  const halt = { why: "limit" as const, until: "2026-01-01T00:00:00.000Z", message: "wait" };
  const decided = (permitted: Permitted) => permit(call, { permission: "default", cwd, permit: async () => permitted });

  expect(await decided({ allow: true })).toEqual({ allow: true });
  expect(await decided({ halt })).toEqual({ halt });
});

test("the agent is answered by what it offers, once rather than always", () => {
  const option = (kind: string) => ({ optionId: kind, kind });
  const asked = { toolCall: { toolCallId: "1" }, options: ["allow_always", "allow_once", "reject_once"].map(option) };

  expect(outcomeOf(asked, true)).toEqual({ outcome: { outcome: "selected", optionId: "allow_once" } });
  expect(outcomeOf(asked, false)).toEqual({ outcome: { outcome: "selected", optionId: "reject_once" } });
  expect(outcomeOf({ ...asked, options: [] }, false)).toEqual({ outcome: { outcome: "cancelled" } });
});
