// What once failed real clients of servers that stood in for ZooKeeper's.
import assert from "node:assert/strict";
import test from "node:test";

import { RawClient, serve } from "./server-harness.ts";

test("zetcd 9: connections of one address beyond maxClientCnxns are closed, and the others notice nothing", async (context) => {
  const { address } = await serve(context, { connectionsPerAddress: 3 });
  const clients: RawClient[] = [];
  for (let i = 0; i < 3; i++) clients.push((await RawClient.open(context, address.port)).client);
  for (let i = 0; i < 5; i++) {
    assert.equal((await RawClient.open(context, address.port)).session, undefined);
  }
  for (const [i, client] of clients.entries()) await client.create(`/n${i}`);
  // A place that is given up is there for another.
  clients[0]?.socket.destroy();
  for (;;) {
    const { client, session } = await RawClient.open(context, address.port);
    if (session === undefined) continue;
    assert.equal(await client.exists("/n0"), true);
    return;
  }
});
