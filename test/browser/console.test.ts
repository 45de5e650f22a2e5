import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import type { Browser } from "playwright-core";
import { missingChromium } from "../machine.ts";
import { Service } from "../service.ts";
import {
  assertFits,
  keepPicture,
  launchChromium,
  type Opened,
  openPage,
  seriousFindings,
} from "./page.ts";

const skip = missingChromium();

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
  browser = await launchChromium();
});
after(async () => {
  if (skip !== false) return;
  await browser.close();
  await service.stop();
});

async function open(
  path = "/",
  width = 1280,
  colorScheme: "light" | "dark" = "light",
): Promise<Opened> {
  const opened = await openPage(browser, `${service.http}${path}`, width, colorScheme);
  const { page } = opened;
  await page
    .locator(".status", { hasText: /shown in/ })
    .or(page.locator(".problem"))
    .first()
    .waitFor();
  return opened;
}

for (const width of [1280, 400]) {
  for (const colours of ["light", "dark"] as const) {
    test(`the console has no serious finding at ${width} px in ${colours} colours`, {
      skip,
    }, async () => {
      const { page, errors } = await open("/", width, colours);
      await page.locator(".record .line").first().click();
      assert.deepEqual(await seriousFindings(page), []);
      await assertFits(page);
      assert.deepEqual(errors, []);
      await keepPicture(page, `console-${width}-${colours}`);
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

test("the fields panel lists the records' own fields first", { skip }, async () => {
  const { page } = await open();
  await page.locator(".field").first().waitFor();
  const names = await page.locator(".field span:first-child").allTextContents();
  assert.deepEqual(names.slice(-3).sort(), ["_msg", "_stream", "_time"]);
  assert.deepEqual(names.slice(0, -3).sort(), ["host", "level", "service", "user"]);
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

test("live tail shows a record when it is acknowledged", { skip }, async () => {
  const { page } = await open("/?query=service:=live");
  const followed = page.waitForResponse((response) => response.url().includes("/api/v1/tail"));
  await page.locator(".tail").click();
  await page.locator(".status", { hasText: /^live/ }).waitFor();
  await followed;
  await service.ship([{ service: "live", host: "h", _msg: "hello from the tail" }]);
  await page.waitForSelector(".record .message");
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
  await page.locator("#record-1 .fields").waitFor();
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
