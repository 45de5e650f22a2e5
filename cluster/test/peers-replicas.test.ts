import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import type { SegmentFilePart } from "../../storage/src/replication/segment-source.ts";
import { oneWayQueueBytesMax } from "../src/peers/limits.ts";
import { PeerReplicaLinks } from "../src/peers/replica-links.ts";
import { PeerSegmentSource, serveSegmentReads } from "../src/peers/segment-reads.ts";
import { until } from "./given.ts";
import { linked, PeersRig } from "./peers-rig.ts";

test("replicas' messages come in order with their bytes joined, from where they lie in shared memory", async () => {
  const rig = new PeersRig();
  try {
    const [one, two] = await rig.pair();
    const links = new PeerReplicaLinks(one);
    const others = new PeerReplicaLinks(two);
    const told: [string, number | undefined][] = [];
    others.onLink((replica, link) => told.push([replica, link]));
    assert.deepEqual(told, [["1/disk-1", two.link(1)?.id]]);
    const seen: [string, object, string][] = [];
    others.onMessage((from, link, message, bytes) => {
      assert.equal(link, told[0]?.[1]);
      seen.push([from, message, bytes.toString()]);
    });
    const shared = Buffer.from(new SharedArrayBuffer(12));
    shared.write("shared bytes");
    let sent = 0;
    for (let i = 0; i < 3; i++) {
      const pieces = [shared.subarray(0, 7), shared.subarray(7)];
      assert.ok(links.send("2/disk-2", { i }, pieces, () => sent++));
    }
    assert.ok(!links.send("2/another-disk", {}, []));
    assert.ok(!links.send("7/disk-7", {}, []));
    await until(() => seen.length === 3 && sent === 3);
    assert.deepEqual(
      seen,
      [0, 1, 2].map((i) => ["1/disk-1", { i }, "shared bytes"]),
    );
    await one.close();
    await until(() => told.length === 2);
    assert.deepEqual(told[1], ["1/disk-1", undefined]);
  } finally {
    await rig.close();
  }
});

test("a queue that was full tells when there is room, and gives every batch back once", async () => {
  const rig = new PeersRig();
  try {
    const [one, two] = await rig.pair();
    const links = new PeerReplicaLinks(one);
    let taken = 0;
    new PeerReplicaLinks(two).onMessage((_from, _link, _message, bytes) => {
      taken += bytes.length;
    });
    let rooms = 0;
    links.onRoom((replica) => {
      assert.equal(replica, "2/disk-2");
      rooms++;
    });
    const bytes = [Buffer.alloc(1_000_000)];
    let given = 0;
    let back = 0;
    while (links.send("2/disk-2", {}, bytes, () => back++)) given++;
    assert.ok(given * 1_000_000 <= oneWayQueueBytesMax + 1_000_000);
    await until(() => rooms === 1);
    assert.ok(links.send("2/disk-2", {}, bytes, () => back++));
    await until(() => taken === (given + 1) * 1_000_000 && back === given + 1);
    // What waits when the link ends is given back, too.
    while (links.send("2/disk-2", {}, bytes, () => back++)) given++;
    await two.close();
    await until(() => back === given + 1);
  } finally {
    await rig.close();
  }
});

test("parts of sealed files are read from the replica that has them", async () => {
  const rig = new PeersRig();
  try {
    const [one, two] = await rig.pair();
    const file = Buffer.from("0123456789");
    serveSegmentReads(two, async ({ file: name, offset, length }: SegmentFilePart) => {
      return name === "1-a" ? file.subarray(offset, offset + length) : undefined;
    });
    const source = new PeerSegmentSource(one);
    const { signal } = new AbortController();
    const read = (replica: string, name: string, offset: number) =>
      source.read(replica, { shard: 0, file: name, offset, length: 4 }, signal);
    assert.equal(String(await read("2/disk-2", "1-a", 4)), "4567");
    assert.equal(String(await read("2/disk-2", "1-a", 8)), "89");
    assert.equal(String(await read("2/disk-2", "1-a", 10)), "");
    assert.equal(await read("2/disk-2", "1-b", 0), undefined);
    const unavailable = { code: "peer.unavailable" };
    await assert.rejects(read("2/old-disk", "1-a", 0), unavailable);
    await assert.rejects(read("3/disk-3", "1-a", 0), unavailable);
    await assert.rejects(read("2/disk-2", "", 0), { code: "request.malformed" });
    await assert.rejects(
      source.read("2/disk-2", { shard: 0, file: "1-a", offset: -1, length: 0 }, signal),
      (thrown) => thrown instanceof ServiceError && thrown.code === "request.malformed",
    );
    await linked(one, two);
  } finally {
    await rig.close();
  }
});
