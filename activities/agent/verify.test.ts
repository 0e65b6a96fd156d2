import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_SETTINGS } from "../../contract/project-settings.js";
import type { ModelServer } from "../../local/model-server.js";
import { AgentSteps } from "../../test/support/agent-steps.js";
import { GitProject } from "../../test/support/git-project.js";
import { scriptedModel } from "../../test/support/scripted-model.js";
import { processTable } from "../process-table.js";
import { NO_MASK } from "../secret-mask.js";
import { beginTurn } from "./turn-start.js";

const COMMIT = "git add -A && git commit -qm more";

describe("what an agent's step has declared", { timeout: 30_000 }, () => {
  test("is looked at after its turn, and listed", async () => {
    const { value } = await steps.do(
      `[[write docs/a.md hi]] [[shell git checkout -qb feature && ${COMMIT} && git push -q origin feature]]`,
      {
        verify: [
          { tree_changed: true },
          { file_exists: "docs/a.md" },
          { command: 'test "$(cat docs/a.md)" = "$WANTED" && echo checked', env: { WANTED: "hi" } },
          { branch_pushed: true },
          { branch_pushed: "feature" },
        ],
      },
    );

    expect(value.verified).toEqual([
      { check: "tree_changed", ok: true },
      { check: "file_exists: docs/a.md", ok: true },
      { check: 'command: test "$(cat docs/a.md)" = "$WANTED" && echo checked', ok: true },
      { check: "branch_pushed", ok: true },
      { check: "branch_pushed: feature", ok: true },
    ]);
    expect(steps.log).toContain("checked\n");
  });

  test("fails it when it is not so: each is named with what was seen, and the answer is kept", async () => {
    const claimed = steps.do("[[shell touch README.md]] [[say All is done and pushed.]]", {
      verify: [
        { tree_changed: true },
        { file_exists: "README.md" },
        { file_exists: "docs/a.md" },
        { command: "echo one; echo no such target >&2; exit 3" },
        { branch_pushed: "feature" },
      ],
    });

    await expect(claimed).rejects.toMatchObject({
      type: "agent_unverified",
      nonRetryable: true,
      message: [
        "The agent has ended its turn, but of 5 checks 4 do not hold:",
        "- tree_changed: no file differs from before the turn, and no commit was made",
        "- file_exists: docs/a.md: nothing is there",
        "- command: echo one; echo no such target >&2; exit 3: exit code 3",
        "no such target",
        "- branch_pushed: feature: origin has no branch feature",
      ].join("\n"),
      details: [
        {
          output: {
            text: "All is done and pushed.",
            verified: expect.arrayContaining([{ check: "file_exists: README.md", ok: true }]),
          },
          sessions: [{ status: "completed" }],
        },
      ],
    });
  });

  test("is a commit as well as a change of files, and a push of that very commit", async () => {
    const committed = steps.do("[[shell git commit -q --allow-empty -m empty]]", {
      verify: [{ tree_changed: true }, { branch_pushed: true }],
    });

    const failure = await committed.catch((error: Error) => error.message);
    const [there, here] = ["origin/main", "HEAD"].map((name) => project.git("rev-parse", "--short=10", name));
    expect(failure).toContain("of 2 checks 1 do not hold");
    expect(failure).toContain(`- branch_pushed: origin has main at ${there}, and HEAD is ${here}`);
  });

  test("is not met by a command that takes too long, and nothing of it is left", async () => {
    const hanging = steps.do("[[say Done.]]", {
      verify: [{ command: "sleep 300 & echo $! > pid.log; echo begun; wait", timeout_ms: 1_000 }],
    });

    await expect(hanging).rejects.toThrow("it was ended, as it took longer than 1 s\nbegun");
    const pid = Number(readFileSync(join(project.path, "pid.log"), "utf8"));
    expect((await processTable()).map((row) => row.pid)).not.toContain(pid);
  });

  test.each([
    ["a path that leads out of the tree", "invalid_path", { file_exists: "../there" }],
    ["an absolute path", "invalid_path", { file_exists: "/etc/passwd" }],
    ["what is no branch's name", "invalid_ref", { branch_pushed: "--all" }],
  ])("is refused before anything is spent when it is %s", async (_what, type, check) => {
    await expect(steps.do("[[say Done.]]", { verify: [check] })).rejects.toMatchObject({ type });

    expect(model.requests).toEqual([]);
  });

  test("is compared with what was before the turn, also by the worker that goes on after a lost one", async () => {
    const call = { run: project.run("run_1", "in_place"), input: { verify: [{ tree_changed: true }] } } as never; // all it looks at
    const file = join(project.folder, "start.json");
    const first = await beginTurn(call, file, { turn: "1-s1", lineage: "one" });
    project.write("made.txt", "by the agent, before its worker was lost");

    expect(await beginTurn(call, file, { turn: "1-s1", lineage: "one" })).toEqual(first);
    expect((await beginTurn(call, file, { turn: "1-s2", lineage: "other" })).kept?.tree).not.toBe(first.kept?.tree);
  });
});

test("an agent may not do as it likes unless the server or its project allows it, and nothing is spent on it", async () => {
  steps.deps.allowBypass = false;

  await expect(steps.do("[[shell touch made.txt]]")).rejects.toMatchObject({
    type: "permission_not_allowed",
    message: expect.stringContaining("LONGHAUL_ALLOW_BYPASS=on"),
  });
  expect(model.requests).toEqual([]);
  expect(existsSync(join(project.path, "made.txt"))).toBe(false);
  const settings = { ...DEFAULT_SETTINGS, allow_bypass: true };
  steps.deps.access = async () => ({ settings, secrets: new Map(), unreadable: new Map(), mask: NO_MASK });
  await steps.do("[[shell touch made.txt]]");
  expect(existsSync(join(project.path, "made.txt"))).toBe(true);
});

let model: ModelServer;
let project: GitProject;
let steps: AgentSteps;

beforeAll(async () => {
  model = await scriptedModel();
});
beforeEach(() => {
  model.requests.length = 0;
  project = new GitProject();
  steps = new AgentSteps(project);
  return async () => {
    await steps.stop();
    project.remove();
  };
});
