import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import type { RuleListed } from "../../api/src/alerts.ts";
import { missingChromium } from "../machine.ts";
import { Service } from "../service.ts";
import { root } from "../suites.ts";
import {
  assertFits,
  keepPicture,
  launchChromium,
  type Opened,
  openPage,
  seriousFindings,
  textOf,
} from "./page.ts";

const skip = missingChromium();
interface Heard {
  readonly body: { readonly status: string; readonly rule: string; readonly lines: object[] };
  readonly text: string;
  readonly timestamp: string;
  readonly signature: string;
}

/** A webhook that takes whatever comes, and keeps it. */
class WebhookReceiver {
  readonly heard: Heard[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const header = (name: string): string => String(request.headers[name] ?? "");
      this.heard.push({
        body: JSON.parse(text) as Heard["body"],
        text,
        timestamp: header("x-logkeep-timestamp"),
        signature: header("x-logkeep-signature"),
      });
      response.end();
    });
  }

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    receiver.#server.listen(0, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  of(rule: string): Heard[] {
    return this.heard.filter(({ body }) => body.rule === rule);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let service: Service;
let browser: Browser;
let receiver: WebhookReceiver;
before(async () => {
  if (skip !== false) return;
  service = await Service.start();
  await service.ship([{ service: "till", host: "h1", level: "info", _msg: "opened" }]);
  receiver = await WebhookReceiver.start();
  browser = await launchChromium();
});
after(async () => {
  if (skip !== false) return;
  await browser.close();
  receiver.stop();
  await service.stop();
});

async function open(
  hash = "#/alerts",
  width = 1280,
  colorScheme: "light" | "dark" = "light",
): Promise<Opened> {
  return openPage(browser, `${service.http}/${hash}`, width, colorScheme);
}

async function apply(rule: object): Promise<void> {
  const response = await fetch(`${service.http}/api/v1/alerting/rules`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(rule),
  });
  assert.equal(response.status, 200, await response.text());
}

async function remove(name: string): Promise<void> {
  const path = `/api/v1/alerting/rules/${encodeURIComponent(name)}`;
  await fetch(`${service.http}${path}`, { method: "DELETE" });
}

async function storedRule(name: string): Promise<RuleListed> {
  const path = `/api/v1/alerting/rules/${encodeURIComponent(name)}`;
  return (await (await fetch(`${service.http}${path}`)).json()) as RuleListed;
}

/** Changes how long a rule's alert lasts without a record; the mask keeps its secret. */
async function keepFor(name: string, keepFor: string): Promise<void> {
  const { rule } = await storedRule(name);
  const path = `/api/v1/alerting/rules/${encodeURIComponent(name)}`;
  const response = await fetch(`${service.http}${path}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...rule, keepFor }),
  });
  assert.equal(response.status, 200, await response.text());
}

/** Does something each second until it is so. */
async function until(isSo: () => Promise<boolean> | boolean, what: string, act?: () => unknown) {
  for (const end = Date.now() + 120_000; Date.now() < end; ) {
    if (await isSo()) return;
    await act?.();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  assert.fail(`${what} did not come`);
}

function cardOf(page: Page, section: "now" | "notifications", rule: string) {
  return page
    .locator(`section[aria-labelledby=${section}] .card`)
    .filter({ has: page.locator(".name", { hasText: rule }) });
}

test("a rule made in the form fires, shows its lines, leads to the records, resolves and is deleted", {
  skip,
}, async () => {
  const name = '<img src=x onerror="document.title=1">';
  const { page, errors } = await open();
  await page.getByText("logkeep alerts apply").waitFor();
  await page.getByRole("link", { name: "New rule" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Query").fill("service:=till level:=error");
  await page.getByLabel("Keep for").fill("1h");
  await page.getByRole("button", { name: "Add a label" }).click();
  await page.getByLabel("Label", { exact: true }).fill("team");
  await page.getByLabel("Value", { exact: true }).fill("<b>shop</b>");
  await page.getByLabel("URL").fill(receiver.url);
  await page.getByLabel("Secret").fill("a secret");
  await page.getByRole("button", { name: "Create the rule" }).click();
  await page.getByText(`The rule ${name} is saved.`).waitFor();

  const firing = cardOf(page, "now", name);
  await until(
    () => firing.isVisible(),
    "the alert",
    () => service.ship([{ service: "till", level: "error", _msg: "<b>till</b> is stuck" }]),
  );
  assert.match(await textOf(firing), /^firing/);
  assert.match(await textOf(firing), /team=<b>shop<\/b>/);
  assert.equal(await textOf(page.locator("nav .firing")), "1 firing");
  const [heard] = receiver.of(name);
  assert.ok(heard !== undefined);
  const signed = `${heard.timestamp}:${heard.text}`;
  const hmac = createHmac("sha256", "a secret").update(signed).digest("hex");
  assert.equal(heard.signature, `v1=${hmac}`);

  // Its end is not waited for while it is looked at.
  await keepFor(name, "1s");
  await until(
    async () =>
      /resolved/.test(await cardOf(page, "notifications", name).allInnerTexts().then(String)),
    "the end",
  );
  assert.equal(await firing.count(), 0);
  assert.equal(await page.locator("nav .firing").count(), 0);
  assert.deepEqual(
    receiver.of(name).map(({ body }) => body.status),
    ["firing", "resolved"],
  );
  const told = cardOf(page, "notifications", name).filter({ hasText: "firing" }).first();
  await told.locator(".outcome", { hasText: "delivered" }).waitFor();
  await told.locator("summary").click();
  assert.match(await textOf(told.locator(".message").first()), /^<b>till<\/b> is stuck$/);
  assert.equal(await page.locator("main img, main b").count(), 0);

  await told.getByRole("link", { name: "records of" }).click();
  await page.locator(".record .message", { hasText: "is stuck" }).first().waitFor();
  assert.match(await page.locator("input.query").inputValue(), /service:=till level:=error/);
  await page.goBack();
  await page.getByRole("button", { name }).click();
  const details = page.locator(".rule-details");
  assert.match(await textOf(details.locator("pre")), /secret: "\*+"/);
  await details.getByRole("button", { name: "Send a test" }).click();
  await details.locator(".tried", { hasText: `delivered ${receiver.url}` }).waitFor();
  await details.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  assert.equal((await storedRule(name)).rule.name, name);
  await details.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await page.getByText(`The rule ${name} is deleted.`).waitFor();
  await page.getByText("There is no rule.").waitFor();
  assert.deepEqual(errors, []);
  await page.close();
});

test("without a rule the page tells a command that makes one", { skip }, async () => {
  const { page } = await open();
  const example = await textOf(page.locator("section[aria-labelledby=now] pre"));
  const env = {
    ...process.env,
    PATH: `${path.join(root, "services/bin")}:${process.env["PATH"]}`,
    LOGKEEP_URL: service.http,
  };
  await promisify(execFile)("sh", ["-c", example], { env });
  await page.getByRole("button", { name: "payment errors" }).waitFor();
  await page.getByText("Nothing is pending or firing.").waitFor();
  await remove("payment errors");
  await page.close();
});

test("a search becomes a rule; what is wrong with it stands at its field; back leads to the search", {
  skip,
}, async () => {
  const { page } = await open(`?query=${encodeURIComponent("* | stats by (host) count() n")}`);
  await page.getByRole("link", { name: "Alert on this" }).click();
  assert.equal(await page.getByLabel("Query").inputValue(), "* | stats by (host) count() n");
  assert.equal(await page.getByLabel("Type").inputValue(), "threshold");
  await page.getByLabel("Name").fill("busy hosts");
  await page.getByRole("button", { name: "Create the rule" }).click();
  await page.locator("#rule-condition-problem").waitFor();
  await page.locator("#rule-condition:focus").waitFor();
  assert.equal(await page.locator("#rule-condition").getAttribute("aria-invalid"), "true");
  await page.getByLabel("Condition").fill("> 5");
  await page.getByLabel("Query").fill("* | explode");
  await page.keyboard.press("Enter");
  await page.locator("pre.caret").waitFor();
  assert.match(await textOf(page.locator("pre.caret")), /\n {4}\^/);
  assert.deepEqual(await seriousFindings(page), []);
  await page.goBack();
  await page.locator(".results").waitFor();
  assert.equal(await page.locator("input.query").inputValue(), "* | stats by (host) count() n");
  await page.close();
});

test("an edit keeps the secret, and does not overwrite what was changed meanwhile", {
  skip,
}, async () => {
  const rule = {
    name: "edited",
    type: "match",
    query: "service:=nobody",
    notify: [{ webhook: { url: receiver.url, secret: "kept" } }],
  };
  await apply(rule);
  const { page } = await open("#/alerts/rules/edited");
  await page.getByLabel("Keep for").fill("2m");
  await apply({ ...rule, keepFor: "3m" });
  await page.getByRole("button", { name: "Save the rule" }).click();
  await page.getByRole("button", { name: "Begin again" }).click();
  await until(async () => (await page.getByLabel("Keep for").inputValue()) === "3m", "the rule");
  await page.getByLabel("Keep for").fill("4m");
  await page.getByRole("button", { name: "Save the rule" }).click();
  await page.getByText("The rule edited is saved.").waitFor();
  assert.equal((await storedRule("edited")).rule.keepFor, "4m");
  await page.getByRole("button", { name: "edited" }).click();
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.locator(".tried .outcome").waitFor();
  const [heard] = receiver.of("edited");
  const signed = `${heard?.timestamp}:${heard?.text}`;
  const hmac = createHmac("sha256", "kept").update(signed).digest("hex");
  assert.equal(heard?.signature, `v1=${hmac}`);
  await remove("edited");
  await page.close();
});

test("what is shown stays when the service cannot be reached, and is refreshed when it can again", {
  skip,
}, async () => {
  await apply({ name: "stays", type: "match", query: "service:=nobody" });
  const { page } = await open();
  await page.getByRole("button", { name: "stays" }).waitFor();
  await page.context().setOffline(true);
  await page.locator(".problem").waitFor();
  await page.getByText("What is shown is of").waitFor();
  assert.equal(await page.getByRole("button", { name: "stays" }).count(), 1);
  await page.context().setOffline(false);
  await page.locator(".problem").waitFor({ state: "detached" });
  await remove("stays");
  await page.getByText("There is no rule.").waitFor();
  await page.close();
});

/** Alerts of every state, with labels, lines and a receiver that refuses. */
async function prepareScene(): Promise<string[]> {
  const labels = { team: "payments", page: "yes" };
  const notify = [{ webhook: { url: receiver.url, secret: "s" } }];
  const rules = [
    { name: "payment errors", type: "match", query: "service:=payments level:=error" },
    {
      name: "slow checkouts",
      type: "threshold",
      query: "_time:10m service:=checkout | stats by (host) count() n",
      condition: "> 5",
      every: "1s",
      for: "1h",
    },
    {
      name: "many logins refused",
      type: "threshold",
      query: "_time:10m service:=auth refused | stats count() n",
      condition: "> 100",
      every: "1s",
    },
  ];
  for (const rule of rules) {
    await apply({ ...rule, ...(rule.type === "match" ? { keepFor: "1h" } : {}), labels, notify });
  }
  const now = Date.now();
  const records = Array.from({ length: 12 }, (_, i) => ({
    _time: new Date(now - i * 1000).toISOString(),
    service: "checkout",
    host: i < 8 ? "checkout-1" : "checkout-2",
    level: "info",
    _msg: `checkout ${i} took ${3000 + i} ms`,
  }));
  await service.ship(records);
  await until(
    async () => (await storedRule("payment errors")).state === "firing",
    "the alert",
    () =>
      service.ship(
        [2, 3, 1].map((attempt) => ({
          service: "payments",
          host: `payments-${attempt}`,
          level: "error",
          _msg: `charging 360.62 EUR for order o-b5067e69 failed: timed out (attempt ${attempt} of 3)`,
        })),
      ),
  );
  await until(async () => (await storedRule("slow checkouts")).state === "pending", "the value");
  await until(() => receiver.of("payment errors").length > 0, "the notification");
  return rules.map(({ name }) => name);
}

test("alerts, rules and notifications have no serious finding and fit, wide and narrow, light and dark", {
  skip,
}, async () => {
  const names = await prepareScene();
  for (const width of [1280, 400]) {
    for (const colours of ["light", "dark"] as const) {
      const { page, errors } = await open("#/alerts", width, colours);
      const told = cardOf(page, "notifications", "payment errors").first();
      await told.locator(".outcome", { hasText: "delivered" }).waitFor();
      await told.locator("summary").click();
      await page.evaluate("scrollTo(0, 0)");
      await keepPicture(page, `alerts-${width}-${colours}`);
      await page.getByRole("button", { name: "payment errors", exact: true }).click();
      assert.deepEqual(await seriousFindings(page), []);
      await assertFits(page);
      await page.getByRole("button", { name: "Delete" }).click();
      assert.deepEqual(await seriousFindings(page), []);
      await page.keyboard.press("Escape");
      await page.getByRole("link", { name: "Edit" }).click();
      await page.getByLabel("Query").waitFor();
      assert.deepEqual(await seriousFindings(page), []);
      await assertFits(page);
      await keepPicture(page, `rule-${width}-${colours}`);
      assert.deepEqual(errors, []);
      await page.close();
    }
  }
  for (const name of names) await remove(name);
});

test("tabs are reached by keyboard, and the address leads back to them", { skip }, async () => {
  const { page } = await open("");
  await page.locator(".status", { hasText: /shown in/ }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("section[aria-labelledby=now]").waitFor();
  assert.match(page.url(), /#\/alerts$/);
  await page.reload();
  await page.locator("section[aria-labelledby=now]").waitFor();
  await page.goBack();
  await page.locator(".status", { hasText: /shown in/ }).waitFor();
  await page.close();
});
