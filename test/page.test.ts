// The page in a real browser: `LONGHAUL_TEST_CHROMIUM`, else the system's.
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Longhaul, longhaul, type StartedRun } from "./support/longhaul.js";
import { type Served, served } from "./support/served.js";

const CHROMIUM = process.env.LONGHAUL_TEST_CHROMIUM ?? "/usr/bin/chromium";
const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) console.warn(`The page is not tested: there is no browser at ${CHROMIUM}. LONGHAUL_TEST_CHROMIUM names one.`);

let browser: Browser;
let page: Page;
let stack: Longhaul;
let ask: Served;
/** What the page says of itself, and whom it asks. */
const wrong: string[] = [];

describe.skipIf(!hasBrowser)("the page", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    stack = await longhaul();
    ask = await served(stack);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    page.on("pageerror", ({ message }) => wrong.push(message));
    page.on("console", (said) => said.type() === "error" && wrong.push(said.text()));
    page.on("request", (request) => new URL(request.url()).origin !== ask.url && wrong.push(`asks ${request.url()}`));
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(() => {
    wrong.length = 0;
  });

  test("says how to log in, and lets in whoever has a code", async () => {
    await page.goto(`${ask.url}/runs`);
    expect(await page.getByRole("alert").first().textContent()).toContain("longhaul open");

    const { body } = await ask("POST", "/api/login-codes");
    await page.goto(`${ask.url}${(body.data as { path: string }).path}&to=/runs`);
    await page.getByText("There is no run yet").waitFor();
  });

  test("shows a run as it goes, what it asks, and its end, without being loaded again", async () => {
    await page.goto(ask.url);
    await page.getByText("There is no run yet").waitFor();
    const run = await gated();
    const { name } = await run.row();
    await page.getByRole("region", { name: "Waiting" }).getByRole("link", { name }).click();
    await page.getByRole("link", { name: /look/ }).click();
    await page.getByRole("log").getByText("<b>line 9</b>").waitFor();
    expect(await page.getByRole("log").locator("b").count()).toBe(0);

    await page.getByLabel("Reason").fill("it is fine");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("banner").or(page.locator("main header")).getByText("completed").waitFor();

    const row = await run.row();
    expect(row.steps[1]?.output).toMatchObject({ approved: true, comment: "it is fine" });
    expect(wrong).toEqual([]);
  });

  test("pauses, resumes and cancels a run, and takes a comment", async () => {
    const run = await gated();
    await page.goto(`${ask.url}/runs/${run.id}`);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByLabel("Your comment").fill("Why this?");
    await page.getByRole("button", { name: "Say it" }).click();
    await page.getByRole("listitem").getByText("Why this?").waitFor();

    await page.getByRole("button", { name: "Cancel …" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("not wanted");
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await page.locator("main header").getByText("cancelled").waitFor();

    expect(wrong).toEqual([]);
  });

  test("is filtered, keeps that in its address, and fits a phone", async () => {
    await page.goto(`${ask.url}/runs`);
    await page.getByLabel("Status").selectOption("cancelled");
    await page.waitForURL(/status=/);
    await expect.poll(() => page.locator("tbody tr").count()).toBe(1);
    await page.reload();
    await expect.poll(() => page.locator("tbody tr").count()).toBe(1);

    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of ["/", "/runs", "/waiting"]) {
      await page.goto(`${ask.url}${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor({ state: "attached" });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    }
    expect(wrong).toEqual([]);
  });
});

/** A run that waits for an approval. */
async function gated(): Promise<StartedRun> {
  const run = await stack.start(`import { defineWorkflow } from "longhaul";
    export default defineWorkflow({ name: "gated", async execute(ctx) {
      await ctx.shell("for n in 1 2 3 4 5 6 7 8 9; do echo '<b>line '$n'</b>'; done", { name: "look" });
      await ctx.approve("go", { message: "Go?" });
    } });`);
  await run.until(({ status }) => status === "waiting");
  return run;
}
