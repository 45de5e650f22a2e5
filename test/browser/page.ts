import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { chromiumPath } from "../machine.ts";

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

/** What a page that is waited for may take where ten other programs want each core. */
const patienceMs = 120_000;

/** A browser that asks nobody but the service. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    timeout: patienceMs,
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
}

export interface Opened {
  readonly page: Page;
  /** What scripts threw and what the page's console told as errors, refused scripts among them. */
  readonly errors: string[];
}

/** A page of its own at an address. */
export async function openPage(
  browser: Browser,
  url: string,
  width: number,
  colorScheme: "light" | "dark",
): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  page.setDefaultTimeout(patienceMs);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(url);
  return { page, errors };
}

/** axe-core's findings of serious or critical impact. */
export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const run =
    "axe.run().then(r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')" +
    ".map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).slice(0, 3).join(', ')))";
  return (await page.evaluate(run)) as string[];
}

/** Nothing of the page lies beside the window. */
export async function assertFits(page: Page): Promise<void> {
  const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  assert.ok(Number(overflow) <= 0, `the page is ${overflow} px wider than the window`);
}

/** Keeps a picture where the environment names a folder for them. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env["LOGKEEP_SCREENSHOTS"];
  if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png` });
}

/** The text of an element, whether it is seen or not. */
export async function textOf(element: Locator): Promise<string> {
  return (await element.textContent()) ?? "";
}
