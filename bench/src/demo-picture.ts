// Takes the README's pictures of the console from a running service that `npm run demo` has filled.
//   node bench/src/demo-picture.ts [--url http://127.0.0.1:7070] [--query 'level:error'] [--folder docs/pictures]
import path from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { chromiumPath } from "../../test/machine.ts";
import { root } from "../../test/suites.ts";

/** Which record is opened: not the first, so that it is seen between others. */
const opened = 1;
/** For the histogram and the fields panel, which ask beside the records. */
const settleMs = 1_500;

const { values: options } = parseArgs({
  options: {
    url: { type: "string", default: "http://127.0.0.1:7070" },
    query: { type: "string", default: "level:error OR level:warn" },
    folder: { type: "string", default: path.join(root, "docs/pictures") },
  },
});

const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
try {
  for (const [colorScheme, name] of [
    ["light", "console.png"],
    ["dark", "console-dark.png"],
  ] as const) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, colorScheme });
    await page.goto(`${options.url}/?query=${encodeURIComponent(options.query)}&last=1440`);
    await page.locator(".record .line").nth(opened).click();
    await page.waitForTimeout(settleMs);
    await page.screenshot({ path: path.join(options.folder, name) });
    await page.close();
  }
} finally {
  await browser.close();
}
