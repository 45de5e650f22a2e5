import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DeliveryError } from "../src/notification.ts";
import { connectionsMax, retryAfterMsMax } from "../src/notify/limits.ts";
import { retryAfterMsOf } from "../src/notify/retry-after.ts";
import { openWebhookSender, type WebhookOptions } from "../src/notify/webhook.ts";
import { notification, WebhookReceiver } from "./webhook-receiver.ts";

/** Long enough for a busy machine; tests of timeouts bring their own. */
const patientMs = 60_000;

function open(t: TestContext, options: Partial<WebhookOptions> = {}) {
  const sender = openWebhookSender({
    timeoutMs: patientMs,
    privateAddresses: true,
    userAgent: "logkeep/test",
    ...options,
  });
  t.after(() => sender.close());
  return sender;
}

const never = new AbortController().signal;

async function failureOf(sending: Promise<void>): Promise<DeliveryError> {
  const error = await sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert(error instanceof DeliveryError, `it did not fail as it should: ${String(error)}`);
  return error;
}

test("a notification is posted as JSON in the documented order, signed over its timestamp and body", async (t) => {
  const server = await WebhookReceiver.open(t);
  await open(t).send(server.receiver("s3cret"), notification, never);
  const [request] = server.requests;
  assert(request !== undefined && server.requests.length === 1);
  assert.equal(request.method, "POST");
  assert.equal(request.path, "/hook");
  const body = JSON.parse(request.body) as object;
  assert.deepEqual(body, notification);
  assert.deepEqual(
    Object.keys(body).join(),
    "status,rule,labels,count,lines,startsAt,endsAt,dedupeKey,link",
  );
  const { headers } = request;
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["user-agent"], "logkeep/test");
  assert.equal(headers["x-logkeep-dedupe-key"], notification.dedupeKey.replaceAll(" ", "%20"));
  const timestamp = String(headers["x-logkeep-timestamp"]);
  assert.match(timestamp, /^\d{10}$/);
  assert(Math.abs(Number(timestamp) - Date.now() / 1000) < 120);
  const digest = createHmac("sha256", "s3cret")
    .update(`${timestamp}:${request.body}`)
    .digest("hex");
  assert.equal(headers["x-logkeep-signature"], `v1=${digest}`);
});

test("without a secret there is no signature", async (t) => {
  const server = await WebhookReceiver.open(t);
  await open(t).send(server.receiver(), notification, never);
  assert.equal(server.requests[0]?.headers["x-logkeep-signature"], undefined);
});

test("a dedupe key that no header can hold is escaped there and whole in the body", async (t) => {
  const server = await WebhookReceiver.open(t);
  const dedupeKey = "zürich\r\nx: y";
  await open(t).send(server.receiver(), { ...notification, dedupeKey }, never);
  const [request] = server.requests;
  assert.equal(request?.headers["x-logkeep-dedupe-key"], "z%C3%BCrich%0D%0Ax:%20y");
  assert.equal((JSON.parse(request?.body ?? "") as { dedupeKey: string }).dedupeKey, dedupeKey);
});

const statuses: readonly { readonly status: number; readonly outcome: string }[] = [
  { status: 200, outcome: "taken" },
  { status: 202, outcome: "taken" },
  { status: 204, outcome: "taken" },
  { status: 301, outcome: "final" },
  { status: 307, outcome: "final" },
  { status: 400, outcome: "final" },
  { status: 401, outcome: "final" },
  { status: 404, outcome: "final" },
  { status: 408, outcome: "transient" },
  { status: 410, outcome: "final" },
  { status: 425, outcome: "transient" },
  { status: 429, outcome: "transient" },
  { status: 500, outcome: "transient" },
  { status: 503, outcome: "transient" },
];

for (const { status, outcome } of statuses) {
  test(`status ${status} is ${outcome}`, async (t) => {
    const server = await WebhookReceiver.open(t, (_, response) =>
      response.writeHead(status, { location: "/elsewhere" }).end(),
    );
    const sending = open(t).send(server.receiver(), notification, never);
    if (outcome === "taken") await sending;
    else {
      const error = await failureOf(sending);
      assert.equal(error.isTransient, outcome === "transient");
      assert.match(error.message, new RegExp(`^it answered ${status}`));
    }
    assert.deepEqual(
      server.requests.map(({ path }) => path),
      ["/hook"],
    );
  });
}

test("an answer's Retry-After comes with the failure", async (t) => {
  const server = await WebhookReceiver.open(t, (_, response) =>
    response.writeHead(429, { "retry-after": "7" }).end(),
  );
  const error = await failureOf(open(t).send(server.receiver(), notification, never));
  assert.equal(error.retryAfterMs, 7000);
});

const nowMs = Date.parse("2026-11-21T07:00:00Z");
const waits: readonly { readonly header: string | undefined; readonly ms: number | undefined }[] = [
  { header: undefined, ms: undefined },
  { header: "", ms: undefined },
  { header: "0", ms: 0 },
  { header: " 120 ", ms: 120_000 },
  { header: "99999999999999999999", ms: retryAfterMsMax },
  { header: "-5", ms: undefined },
  { header: "1.5", ms: undefined },
  { header: "soon", ms: undefined },
  { header: "2026-11-21T07:00:30Z", ms: undefined },
  { header: "Sat, 21 Nov 2026 07:00:30 GMT", ms: 30_000 },
  { header: "Sat, 21 Nov 2026 06:00:00 GMT", ms: 0 },
  { header: "Mon, 21 Nov 2033 06:00:00 GMT", ms: retryAfterMsMax },
  { header: "Sat, 99 Nov 2026 06:00:00 GMT", ms: undefined },
];

for (const { header, ms } of waits) {
  test(`Retry-After "${header}" means ${ms} ms`, () => {
    assert.equal(retryAfterMsOf(header, nowMs), ms);
  });
}

test("a receiver that never answers is given up after the timeout, and may be tried again", async (t) => {
  const server = await WebhookReceiver.open(t, () => undefined);
  const sender = open(t, { timeoutMs: 200 });
  const error = await failureOf(sender.send(server.receiver(), notification, never));
  assert.equal(error.isTransient, true);
  assert.equal(error.message, "no answer in 200 ms");
});

test("a receiver that takes a connection and is silent is given up after the timeout", async (t) => {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const sender = open(t, { timeoutMs: 200 });
  // More than there are connections for: those that wait for one are given up too.
  const sends = Array.from({ length: connectionsMax + 3 }, () =>
    failureOf(sender.send({ webhook: { url } }, notification, never)),
  );
  for (const error of await Promise.all(sends)) assert.equal(error.message, "no answer in 200 ms");
});

test("an answer that drips its body without end is taken by its status", async (t) => {
  const server = await WebhookReceiver.open(t, (_, response) => {
    response.writeHead(200).write("a");
    const timer = setInterval(() => response.write("a"), 20);
    response.once("close", () => clearInterval(timer));
  });
  await open(t, { timeoutMs: 2000 }).send(server.receiver(), notification, never);
});

test("of a huge answer no more than a bound is read, and its status counts", async (t) => {
  let bytes = 0;
  const server = await WebhookReceiver.open(t, (_, response) => {
    const chunk = Buffer.alloc(65_536);
    const more = (): void => {
      while (!response.destroyed && bytes < 1024 * 1024 * 1024) {
        bytes += chunk.length;
        if (!response.write(chunk)) break;
      }
    };
    response.on("drain", more);
    more();
  });
  await open(t).send(server.receiver(), notification, never);
  assert(bytes < 64 * 1024 * 1024, `${bytes} bytes were sent`);
});

test("a refused connection and an unknown name may go better later, and the failure names why", async (t) => {
  const server = await WebhookReceiver.open(t);
  const receiver = server.receiver();
  server.close();
  const error = await failureOf(open(t).send(receiver, notification, never));
  assert.equal(error.isTransient, true);
  assert.equal(error.message, "it cannot be reached (ECONNREFUSED)");
  const unknown = { webhook: { url: "http://nowhere.invalid/" } };
  const missing = await failureOf(open(t).send(unknown, notification, never));
  assert.equal(missing.isTransient, true);
  assert.match(missing.message, /^it cannot be reached \((ENOTFOUND|EAI_AGAIN)\)$/);
});

test("a connection that ends before the answer, or speaks no HTTP, may go better later", async (t) => {
  for (const bytes of [
    "",
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "SSH-2.0-x\r\n",
  ]) {
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(bytes));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const error = await failureOf(open(t).send({ webhook: { url } }, notification, never));
    assert.equal(error.isTransient, true, bytes);
  }
});

test("https to a server that speaks none fails and may go better later", async (t) => {
  const server = await WebhookReceiver.open(t);
  const url = server.receiver().webhook.url.replace("http:", "https:");
  const error = await failureOf(open(t).send({ webhook: { url } }, notification, never));
  assert.equal(error.isTransient, true);
  assert.equal(server.requests.length, 0);
});

test("connections are used again, and end with the sender", async (t) => {
  const server = await WebhookReceiver.open(t, (_, response) => {
    setTimeout(() => response.end("ok"), 5);
  });
  const sender = open(t);
  for (let round = 0; round < 6; round++) {
    const sends = Array.from({ length: 4 }, () =>
      sender.send(server.receiver(), notification, never),
    );
    await Promise.all(sends);
  }
  assert.equal(server.requests.length, 24);
  assert(server.connections <= 4, `${server.connections} connections`);
  await sender.close();
  const deadline = Date.now() + 60_000;
  while (server.openNow > 0 && Date.now() < deadline) await sleep(10);
  assert.equal(server.openNow, 0);
});

test("a kept connection that the receiver has closed meanwhile costs no delivery", async (t) => {
  const server = await WebhookReceiver.open(t);
  const sender = open(t);
  for (let i = 0; i < 20; i++) {
    await sender.send(server.receiver(), notification, never);
    server.closeIdle();
  }
  const keys = server.requests.map(({ headers }) => headers["x-logkeep-dedupe-key"]);
  assert(keys.length >= 20);
});

test("close and an aborted signal end what is under way as transient", async (t) => {
  const server = await WebhookReceiver.open(t, () => undefined);
  const sender = open(t);
  const abort = new AbortController();
  const first = failureOf(sender.send(server.receiver(), notification, abort.signal));
  const second = failureOf(sender.send(server.receiver(), notification, never));
  abort.abort();
  assert.deepEqual([(await first).message, (await first).isTransient], ["interrupted", true]);
  await sender.close();
  assert.deepEqual([(await second).message, (await second).isTransient], ["interrupted", true]);
  const late = await failureOf(sender.send(server.receiver(), notification, never));
  assert.equal(late.isTransient, true);
});

for (const host of ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"]) {
  test(`a receiver on ${host} is refused for good where private addresses are not called`, async (t) => {
    const server = await WebhookReceiver.open(t);
    const sender = open(t, { privateAddresses: false });
    const error = await failureOf(sender.send(server.receiver("s", host), notification, never));
    assert.equal(error.isTransient, false);
    assert.match(error.message, /^loopback and private addresses are not called/);
    assert.equal(server.connections, 0);
  });
}

test("metadata addresses are refused even where private ones are called", async (t) => {
  const sender = open(t);
  for (const url of [
    "http://169.254.169.254/latest/",
    "https://[fd00:ec2::254]/",
    "http://2852039166/",
  ]) {
    const error = await failureOf(sender.send({ webhook: { url } }, notification, never));
    assert.deepEqual([error.isTransient, error.message.slice(0, 10)], [false, "link-local"]);
  }
});

test("a URL that is none is refused for good", async (t) => {
  for (const url of ["not a url", "ftp://127.0.0.1/"]) {
    const error = await failureOf(open(t).send({ webhook: { url } }, notification, never));
    assert.equal(error.isTransient, false);
  }
});
