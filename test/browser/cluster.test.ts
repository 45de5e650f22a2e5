// Goal: the console's page of the cluster shows nodes and shards, what is wrong with them, and fits.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import type { Browser } from "playwright-core";
import { Nodes } from "../cluster/nodes.ts";
import { missingChromium } from "../machine.ts";
import { Service } from "../service.ts";
import { assertFits, keepPicture, launchChromium, openPage, seriousFindings } from "./page.ts";

const skip = missingChromium();

/** For states that come and stay, on a busy machine. */
const patienceMs = 60_000;

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

test("what a dead node leaves is seen from another: it by its state, its shards by theirs", {
  skip,
}, async () => {
  // The one that is asked has the only vote: the death of the other changes nothing but shards.
  // Who is gone is listed for as long as it may come back.
  const nodes = await Nodes.start({ count: 1, env: { LOGKEEP_CLUSTER_GRACE_MS: "3600000" } });
  try {
    await nodes.startNode(2, { join: 1 });
    await nodes.serving();
    const url = `${nodes.node(1).http}/#/cluster`;
    const { page, errors } = await openPage(browser, url, 380, "dark");
    const [known, listed] = [page.getByRole("table").nth(0), page.getByRole("table").nth(1)];
    await listed.getByText("1, 2", { exact: true }).first().waitFor({ timeout: patienceMs });
    await nodes.node(2).kill();
    // Silent at first and gone when its session has ended; its copies are so, too.
    await known.getByText("gone", { exact: true }).waitFor({ timeout: patienceMs });
    await listed.getByText("on one disk").first().waitFor({ timeout: patienceMs });
    await listed.getByText("2 (gone").first().waitFor({ timeout: patienceMs });
    await page.getByText(/^2 nodes, 1 gone, 4 shards, .*on one disk alone/).waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await assertFits(page);
    await keepPicture(page, "cluster-dead");
    await nodes.node(1).kill();
    await page.getByText("Shown is what was known at").waitFor({ timeout: patienceMs });
    assert.equal(await listed.getByRole("row").count(), 5);
    assert.deepEqual(
      errors.filter((each) => !each.includes("ERR_CONNECTION")),
      [],
    );
    await page.close();
  } finally {
    await nodes.close();
  }
});
