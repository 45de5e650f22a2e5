import assert from "node:assert/strict";
import { test } from "node:test";
import { serialize } from "node:v8";
import type { StreamHandler } from "../../cluster/src/peers/peers.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import type { TailListener } from "../../query/src/tail/tail-hub.ts";
import { followedBytesMax, followedEntryBytes } from "../src/fan-out/limits.ts";
import { hostTails } from "../src/fan-out/tail-host.ts";
import type { FollowedPlan } from "../src/fan-out/tail-messages.ts";

const from = { nodeId: 2, diskId: "disk-2", incarnation: "of a test", cluster: "c", protocol: 1 };
const plan: FollowedPlan = { filter: parseQuery("*").filter, pipes: [] };

/** What is hosted for one follower, and the listener that it has at the node. */
function hosted() {
  const listeners = new Set<TailListener>();
  let handler: StreamHandler | undefined;
  hostTails(
    {
      handleStream(_, given) {
        handler = given;
      },
    },
    {
      listen(listener) {
        listeners.add(listener);
        return new Map([[0, 7]]);
      },
      unlisten: (listener) => void listeners.delete(listener),
    },
  );
  const { signal } = new AbortController();
  const stream = handler!(from, { head: { tenant: "t" }, bytes: [serialize(plan)] }, signal);
  return { listeners, stream: stream[Symbol.asyncIterator]() };
}

test("a follower that takes nothing is left, however small what waits for it is", async () => {
  const { listeners, stream } = hosted();
  assert.equal((await stream.next()).done, false);
  const [listener] = listeners;
  // Entries without a match, of two shards in turn: no run of one is said at once.
  const most = Math.floor(followedBytesMax / followedEntryBytes);
  for (let position = 1; position <= most; position++) {
    listener!.offer(position % 2, position, undefined);
  }
  assert.equal((await stream.next()).done, false, "so many are kept");
  for (let position = 1; position <= most + 1; position++) {
    listener!.offer(position % 2, position, undefined);
  }
  assert.equal((await stream.next()).done, true);
  assert.equal(listeners.size, 0);
});

test("that entries have no match is said once for a run of them, which counts once", async () => {
  const { listeners, stream } = hosted();
  await stream.next();
  const [listener] = listeners;
  for (let position = 1; position <= 200_000; position++) listener!.offer(0, position, undefined);
  assert.equal((await stream.next()).done, false);
  assert.equal(listeners.size, 1);
});
