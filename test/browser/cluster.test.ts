// Goal: the console's page of the cluster shows nodes and shards, and fits.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import type { Browser } from "playwright-core";
import { missingChromium } from "../machine.ts";
import { Service } from "../service.ts";
import { assertFits, keepPicture, launchChromium, openPage, seriousFindings } from "./page.ts";

const skip = missingChromium();

let browser: Browser;
let service: Service;

before(async () => {
  if (skip !== false) return;
  [browser, service] = await Promise.all([launchChromium(), Service.start()]);
  await service.ship([{ service: "a", host: "b", _msg: "x" }]);
});

after(async () => {
  await browser?.close();
  await service?.kill();
});

test("nodes and shards are shown, without a serious finding, wide and narrow", {
  skip,
}, async () => {
  for (const width of [1200, 380]) {
    const { page, errors } = await openPage(browser, `${service.http}/#/cluster`, width, "light");
    await page.getByText("1 node, 4 shards").waitFor();
    const shards = page.getByRole("table").nth(1).getByRole("row");
    assert.equal(await shards.count(), 5);
    assert.match((await shards.nth(1).textContent()) ?? "", /served/);
    assert.deepEqual(await seriousFindings(page), []);
    await assertFits(page);
    await keepPicture(page, `cluster-${width}`);
    assert.deepEqual(errors, []);
    await page.close();
  }
});
