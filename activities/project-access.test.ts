import { beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_SETTINGS } from "../contract/project-settings.js";
import type { SealedAccess } from "../db/secrets.js";
import { createAccess, environmentOf, type ProjectAccess, type ReadAccess } from "./project-access.js";

const never = new AbortController().signal;
const away = () => Promise.reject(Object.assign(new Error("connect"), { code: "ECONNREFUSED" }));

let found: SealedAccess;
let answer: () => Promise<SealedAccess>;
let asked: number;
let read: ReadAccess;

beforeEach(() => {
  asked = 0;
  found = { settings: DEFAULT_SETTINGS, sealed: [{ name: "TOKEN", value: "sealed:12345678" }] };
  answer = async () => found;
  read = createAccess({
    read: () => {
      asked += 1;
      return answer();
    },
    open: async (sealed) => {
      if (!sealed.startsWith("sealed:")) throw new Error("The secret cannot be read: it is not what was sealed.");
      return sealed.slice("sealed:".length);
    },
  });
});

const ask = (isFresh = false, signal = never) => read({ projectId: "prj_1", isFresh, signal });

describe("what a project's steps may have", () => {
  test("is read anew for who is given it, and not again at once for who only hides it", async () => {
    await ask(true);
    found = { ...found, sealed: [{ name: "TOKEN", value: "sealed:87654321" }] };

    expect((await ask()).secrets.get("TOKEN")).toBe("12345678");
    expect(asked).toBe(1);
    expect((await ask(true)).secrets.get("TOKEN")).toBe("87654321");
    expect((await ask()).mask.text("12345678 87654321")).toBe("12345678 ***");
  });

  test("is hidden by what was read last while Postgres is away, and waited for by who is given it", async () => {
    await ask(true);
    answer = away;
    const given = ask(true);

    expect((await ask()).mask.text("12345678")).toBe("***");
    const waiting = await Promise.race([given, new Promise((resolve) => setImmediate(resolve, "waits"))]);
    expect(waiting).toBe("waits");
    answer = async () => ({ ...found, sealed: [] });
    expect((await given).secrets.size).toBe(0);
  });

  test("is waited for no longer than the step is", async () => {
    answer = away;
    const stop = new AbortController();
    const waiting = ask(false, stop.signal);
    stop.abort(new Error("The step was cancelled."));

    await expect(waiting).rejects.toThrow("The step was cancelled.");
  });

  test("is opened once as long as nothing changes", async () => {
    const [first, second] = [await ask(true), await ask(true)];

    expect(second).toBe(first);
  });
});

describe("a step's environment", () => {
  const access = (settings: Partial<ProjectAccess["settings"]> = {}): Promise<ProjectAccess> => {
    found = { settings: { ...DEFAULT_SETTINGS, ...settings }, sealed: [...found.sealed, { name: "BROKEN", value: "other" }] };
    return ask(true);
  };

  test("has the secrets that the step names, and the variables that the project allows", async () => {
    const own = { JAVA_HOME: "/java", OTHER: "1" };

    expect(environmentOf(await access({ env_allow: ["JAVA_HOME", "UNSET"] }), ["TOKEN"], own)).toEqual({
      JAVA_HOME: "/java",
      TOKEN: "12345678",
    });
    expect(environmentOf(await access(), [], own)).toEqual({});
  });

  test("is none when a secret lacks or cannot be read, and the message names it and the way out", async () => {
    const has = await access();
    const ask = (names: string[]) => () => environmentOf(has, names, {});

    expect(ask(["TOKEN", "NPM_TOKEN", "X"])).toThrow(
      expect.objectContaining({
        type: "secret_missing",
        message: expect.stringMatching(/no secrets NPM_TOKEN and X.*secrets set NPM_TOKEN/),
      }),
    );
    expect(ask(["BROKEN"])).toThrow(
      expect.objectContaining({ type: "secret_unreadable", message: expect.stringContaining("is not what was sealed") }),
    );
  });
});
