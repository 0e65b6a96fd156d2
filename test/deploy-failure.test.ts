import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Rule } from "../local/model-script.js";
import { answer, type ExampleProject, exampleProject, stepsOf, toolsExample } from "./support/example-project.js";
import { git } from "./support/git-project.js";

const analysis = (fix: string) =>
  answer({
    description: "The page is empty.",
    root_cause: "Nobody wrote it.",
    fix_description: fix,
    fix,
    affected_files: [],
    confidence: "high",
  });

/** Of a service whose name says so there is no fix. */
const RULES: Rule[] = [
  {
    when: /Why does this deployment fail/,
    moves: ({ prompt }) => [analysis(prompt.includes('"hopeless') ? "" : "Write the page.")],
  },
  {
    when: /Make this change in the repository/,
    moves: [
      { tool: "Write", input: { file_path: "{cwd}/page.html", content: "full\n" } },
      answer({ summary: "It has a page now.", breaking_changes: "", complete: true }),
    ],
  },
];

const KEYS = ["check_status", "search_logs", "analyze_failure", "rollback", "create_fix_branch", "apply_fix", "create_fix_pr"];

let project: ExampleProject;
beforeAll(async () => {
  project = await exampleProject(RULES);
});

const begin = (service: string) => project.begin(toolsExample("fix_deploy_failure"), { service });
const run = async (service: string) => project.finished(await begin(service));
const served = (service: string) => readFileSync(join(project.services, service, "current/index.html"), "utf8");

/** A service with releases of these texts, the last one current, and a log. */
async function deployed(service: string, texts: readonly string[], log: string): Promise<void> {
  for (const text of texts) {
    mkdirSync(join(project.stack.project, "out"), { recursive: true });
    writeFileSync(join(project.stack.project, "out/index.html"), text);
    const params = { service, source: "out", release: text };
    const id = await project.begin({ name: "release", steps: [{ name: "release", tool: "deploy.deploy", params }] });
    expect(await project.finished(id)).toMatchObject({ status: "completed", steps: [{ output: { current_release: text } }] });
  }
  writeFileSync(join(project.services, `${service}.log`), log);
}

describe("fix_deploy_failure", { timeout: 120_000 }, () => {
  test("rolls back, and opens a pull request with the fix: seven steps of seven", async () => {
    await deployed("web", ["good", "bad"], "started\nError: the page is empty\n");

    const row = await run("web");

    expect(row).toMatchObject({ status: "completed", error: null });
    expect(stepsOf(row)).toEqual(KEYS.map((key) => `${key} completed`));
    expect(served("web")).toBe("good");
    expect(project.model.requests[0]?.conversation.exchanges[0]?.prompt).toContain("Error: the page is empty");
    const [pull] = project.github.pulls();
    expect(pull).toMatchObject({
      title: "Repair the deployment of web",
      head: "fix/web-bad",
      body: expect.stringContaining("The page is empty.\n\nIt has a page now."),
    });
    const remote = git(project.stack.project, "remote", "get-url", "origin");
    expect(git(remote, "show", "fix/web-bad:page.html")).toBe("full");
    expect(git(remote, "log", "-1", "--format=%s", "fix/web-bad")).toBe("Repair the deployment of web");
  });

  test("without a fix rolls back alone, and tries that again until it is done", async () => {
    await deployed("hopeless", ["good", "bad"], "Error: the page is empty\n");
    const release = join(project.services, "hopeless/releases/good");
    renameSync(release, `${release}-away`);
    const id = await begin("hopeless");
    await vi.waitFor(async () => expect(stepsOf(await project.get(id))).toContain("rollback retrying"), {
      timeout: 60_000,
      interval: 50,
    });
    renameSync(`${release}-away`, release);

    const row = await project.finished(id);

    expect(row.status).toBe("completed");
    expect(stepsOf(row)).toEqual([
      ...KEYS.slice(0, 4).map((key) => `${key} completed`),
      ...KEYS.slice(4).map((key) => `${key} skipped`),
    ]);
    expect(row.steps[3]?.attempt).toBeGreaterThan(1);
    expect(served("hopeless")).toBe("good");
  });

  test("fails when it cannot roll back, after three tries, and changes nothing more", async () => {
    await deployed("stuck", ["good", "bad"], "Error: the page is empty\n");
    renameSync(join(project.services, "stuck/releases/good"), join(project.services, "stuck/gone"));

    const row = await run("stuck");

    expect(row).toMatchObject({
      status: "failed",
      error: { type: "tool_failed", step_id: "rollback", message: expect.stringContaining("There is no release good of stuck") },
    });
    expect(stepsOf(row)).toEqual([...KEYS.slice(0, 3).map((key) => `${key} completed`), "rollback failed"]);
    expect(row.steps[3]).toMatchObject({ attempt: 3 });
    expect(served("stuck")).toBe("bad");
  });

  test("repairs a first release, which there is none before to go back to", async () => {
    await deployed("new", ["first"], "Error: the page is empty\n");

    const row = await run("new");

    expect(stepsOf(row)).toEqual(KEYS.map((key) => `${key} ${key === "rollback" ? "skipped" : "completed"}`));
    expect(served("new")).toBe("first");
  });

  test("does nothing when there are no errors in the logs", async () => {
    await deployed("well", ["good", "better"], "started\n");

    const row = await run("well");

    expect(row.status).toBe("completed");
    expect(stepsOf(row)).toEqual(KEYS.map((key, i) => `${key} ${i < 2 ? "completed" : "skipped"}`));
    expect(served("well")).toBe("better");
  });

  test("fails for a service that nobody has deployed, after three tries", async () => {
    const row = await run("unknown");

    expect(row).toMatchObject({ status: "failed", error: { type: "tool_failed", step_id: "check_status" } });
    expect(row.steps).toMatchObject([{ step_id: "check_status", attempt: 3 }]);
    expect(readdirSync(project.services)).not.toContain("unknown");
  });
});
