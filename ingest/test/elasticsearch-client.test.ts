import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { Client } from "@elastic/elasticsearch";
import { serviceErrorOf } from "../../kit/src/errors.ts";
import type { Receiver, ReceiverAnswer, ReceiverRequest } from "../src/receiver/receiver.ts";
import { receivers } from "../src/receiver/receivers.ts";
import { TestDecoder } from "./decoding.ts";

/** The least that stands between a socket and the receivers. */
function receiverFor(request: ReceiverRequest): Receiver | undefined {
  const method = request.method.toLowerCase();
  return receivers.find(
    (each) =>
      each.methods.some((one) => one === method) &&
      each.paths.some((path) =>
        new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}/?$`).test(request.path),
      ),
  );
}

async function respond(incoming: IncomingMessage, decoder: TestDecoder): Promise<ReceiverAnswer> {
  const url = new URL(incoming.url ?? "/", "http://localhost");
  const { method = "GET", headers } = incoming;
  const request = { method, path: url.pathname, query: url.searchParams, headers };
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const receiver = receiverFor(request);
  if (receiver === undefined) return { status: 404, headers: {}, body: "" };
  try {
    const prepared = receiver.prepare(request);
    if (prepared.kind === "answer") return prepared.answer;
    if (prepared.kind === "pass") return { status: 404, headers: {}, body: "" };
    const { protocol } = prepared.options;
    const { result } = decoder.run(protocol, Buffer.concat(chunks), prepared.options);
    return receiver.answer(request, result, 1);
  } catch (thrown) {
    return receiver.failure(request, serviceErrorOf(thrown));
  }
}

const decoder = new TestDecoder({ slabs: 8 });
const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
  void respond(incoming, decoder).then(({ status, headers, body }) => {
    outgoing.writeHead(status, headers).end(body);
  });
});

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(() => server.close());

for (const prefix of ["", "/elasticsearch"]) {
  test(`the official client ships through http://host${prefix}/`, async () => {
    const { port } = server.address() as AddressInfo;
    const client = new Client({ node: `http://127.0.0.1:${port}${prefix}`, compression: true });
    const info = await client.info();
    assert.equal(info.tagline, "You Know, for Search");
    assert.equal((await client.cluster.health()).status, "green");
    const answer = await client.bulk({
      index: "logs-app",
      operations: [
        { create: {} },
        { "@timestamp": "2026-11-20T00:00:00Z", message: "one" },
        { create: { _id: "2" } },
        { "@timestamp": "never", message: "two" },
      ],
    });
    assert.equal(answer.errors, true);
    assert.deepEqual(
      answer.items.map((item) => [
        item.create?._index,
        item.create?.status,
        item.create?.error?.type,
      ]),
      [
        ["logs-app", 201, undefined],
        ["logs-app", 400, "mapper_parsing_exception"],
      ],
    );
    const helped = await client.helpers.bulk({
      datasource: Array.from({ length: 1_000 }, (_, i) => ({ message: `m${i}` })),
      onDocument: () => ({ create: { _index: "logs-bulk" } }),
    });
    assert.deepEqual([helped.successful, helped.failed], [1_000, 0]);
    await client.close();
  });
}
