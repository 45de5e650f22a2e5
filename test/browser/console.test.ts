import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { chromiumPath, missingChromium } from "../machine.ts";
import { Service } from "../service.ts";

const skip = missingChromium();
const axeSource = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

let service: Service;
let browser: Browser;
before(async () => {
  if (skip !== false) return;
  service = await Service.start();
  const now = Date.now();
  const levels = ["info", "info", "info", "warn", "error"];
  const records = Array.from({ length: 400 }, (_, i) => ({
    _time: new Date(now - i * 5000).toISOString(),
    service: i % 2 === 0 ? "shop" : "mail",
    host: `h${i % 3}`,
    level: levels[i % 5],
    user: `u${i % 7}`,
    _msg: `request ${i} took ${i % 90} ms`,
  }));
  await service.ship(records);
  browser = await chromium.launch({
    executablePath: chromiumPath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});
after(async () => {
  if (skip !== false) return;
  await browser.close();
  await service.stop();
});

interface Opened {
  readonly page: Page;
  readonly errors: string[];
}

async function open(
  path = "/",
  width = 1280,
  colorScheme: "light" | "dark" = "light",
): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(`${service.http}${path}`);
  await page
    .locator(".status", { hasText: /shown in/ })
    .or(page.locator(".problem"))
    .first()
    .waitFor();
  return { page, errors };
}

/** axe-core's findings of serious or critical impact. */
async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const run =
    "axe.run().then(r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')" +
    ".map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).slice(0, 3).join(', ')))";
  return (await page.evaluate(run)) as string[];
}

for (const width of [1280, 400]) {
  for (const colours of ["light", "dark"] as const) {
    test(`the console has no serious finding at ${width} px in ${colours} colours`, {
      skip,
    }, async () => {
      const { page, errors } = await open("/", width, colours);
      await page.locator(".record .line").first().click();
      assert.deepEqual(await seriousFindings(page), []);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.ok(Number(overflow) <= 0, `the page is ${overflow} px wider than the window`);
      assert.deepEqual(errors, []);
      const folder = process.env["LOGKEEP_SCREENSHOTS"];
      if (folder !== undefined)
        await page.screenshot({ path: `${folder}/console-${width}-${colours}.png` });
      await page.close();
    });
  }
}

test("a search narrows what is shown, a value clicked narrows it further", { skip }, async () => {
  const { page } = await open();
  await page.locator("input.query").fill("level:=error");
  await page.keyboard.press("Enter");
  await page.locator(".status", { hasText: /^80 shown/ }).waitFor();
  await page.locator(".record .line").first().click();
  await page
    .locator(".fields .value", { hasText: /^(shop|mail)$/ })
    .first()
    .click();
  await page.locator(".status", { hasText: /^40 shown/ }).waitFor();
  assert.match(
    await page.locator("input.query").inputValue(),
    /^level:=error service:="(shop|mail)"$/,
  );
  await page.close();
});

test("the fields panel counts values and filters by one", { skip }, async () => {
  const { page } = await open();
  await page.locator(".field", { hasText: "user" }).click();
  await page.locator(".share").first().click();
  await page.locator(".status", { hasText: /^5\d shown/ }).waitFor();
  assert.match(await page.locator("input.query").inputValue(), /user:=/);
  await page.close();
});

test("dragging over the histogram chooses the span", { skip }, async () => {
  const { page } = await open();
  const box = await page.locator(".histogram svg").boundingBox();
  assert.ok(box !== null);
  await page.mouse.move(box.x + box.width * 0.7, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 40);
  await page.mouse.up();
  await page.waitForSelector(".between");
  assert.equal(await page.locator("select.span").inputValue(), "between");
  await page.close();
});

test("live tail shows a record within a second of its acknowledgement", { skip }, async () => {
  const { page } = await open("/?query=service:=live");
  await page.locator(".tail").click();
  await page.locator(".status", { hasText: /^live/ }).waitFor();
  await page.waitForTimeout(300);
  await service.ship([{ service: "live", host: "h", _msg: "hello from the tail" }]);
  await page.waitForSelector(".record .message", { timeout: 1500 });
  assert.equal(await page.locator(".record .message").first().textContent(), "hello from the tail");
  await page.close();
});

test("a mistake in a query is shown with a caret under it", { skip }, async () => {
  const { page } = await open("/?query=*");
  await page.locator("input.query").fill("* | explode");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".problem pre");
  assert.match((await page.locator(".problem pre").textContent()) ?? "", /\n {4}\^/);
  await page.close();
});

test("rows of a pipe that aggregates are a table", { skip }, async () => {
  const { page } = await open(`/?query=${encodeURIComponent("* | stats by (service) count() n")}`);
  assert.equal((await page.locator(".results tbody tr").count()) >= 2, true);
  await page.close();
});

test("keys move through records and open them", { skip }, async () => {
  const { page } = await open();
  await page.locator("main").click({ position: { x: 2, y: 2 } });
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("o");
  assert.equal(await page.locator("#record-1 .fields").count(), 1);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate("document.activeElement.className"), "query");
  await page.close();
});

test("the query and span stand in the address, so that a link shows the same", {
  skip,
}, async () => {
  const { page } = await open("/?query=level:%3Dwarn&last=1440");
  assert.equal(await page.locator("input.query").inputValue(), "level:=warn");
  assert.equal(await page.locator("select.span").inputValue(), "1440");
  await page.close();
});
