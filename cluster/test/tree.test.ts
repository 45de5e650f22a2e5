import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import type { ServiceError } from "../../kit/src/errors.ts";
import { openCluster } from "../src/cluster.ts";
import { paths } from "../src/paths.ts";
import { znodeFormat } from "../src/znode-data.ts";
import { facts, Given } from "./given.ts";

let given: Given;
let anonymous: ZooKeeperClient;

before(async () => {
  given = await Given.open();
  anonymous = new ZooKeeperClient({ connect: given.connect });
});

after(async () => {
  await anonymous.close();
  await given.close();
});

test("a cluster keeps its id and number of shards, whatever later nodes ask for", async () => {
  const first = await given.cluster({ shards: 4 });
  const { id } = first;
  const second = await given.cluster({ shards: 8 });
  assert.equal(second.id, id);
  assert.equal(second.shards, 4);
  await first.close();
  await second.close();
});

test("a cluster whose znodes have the form of a later release is left as it is, and says so", async () => {
  const cluster = await given.cluster();
  const { data } = await anonymous.getData(paths.cluster);
  const state = JSON.parse(Buffer.from(data ?? []).toString()) as Record<string, unknown>;
  assert.equal(state["format"], znodeFormat);
  const write = (value: object) =>
    cluster.client.setData(paths.cluster, Buffer.from(JSON.stringify(value)));
  // Of a later release everything else may be different as well.
  await write({ format: znodeFormat + 1, cluster: state["id"] });
  await cluster.client.delete(paths.moves);
  await assert.rejects(given.cluster({ closed: true }), (thrown: ServiceError) => {
    assert.equal(thrown.code, "cluster.mismatch");
    assert.deepEqual(thrown.fields, { format: znodeFormat + 1, known: znodeFormat });
    return true;
  });
  await assert.rejects(anonymous.getData(paths.moves), { code: "NONODE" });
  // One of the release before the form was written down.
  const { format: _, ...older } = state;
  await write(older);
  const again = await given.cluster();
  assert.equal(again.id, state["id"]);
  await again.close();
  await cluster.close();
});

test("a node that lives is announced, and its znode goes with it", async () => {
  const cluster = await given.cluster();
  await cluster.announce(facts(), () => undefined);
  const { children } = await anonymous.getChildren(paths.node(1));
  assert.equal(children.length, 1);
  assert.match(children[0] as string, /^live-/);
  await cluster.close();
  assert.deepEqual((await anonymous.getChildren(paths.node(1))).children, []);
});

test("an open cluster can be read and not written by anybody", async () => {
  const cluster = await given.cluster();
  assert.ok((await anonymous.getChildren(paths.root)).children.includes("shards"));
  await assert.rejects(anonymous.create(`${paths.root}/x`), { code: "NOAUTH" });
  await assert.rejects(anonymous.delete(paths.shards), { code: "NOAUTH" });
  await cluster.close();
});

test("closing a cluster closes what is there already, and opening opens it", async () => {
  const closed = await given.cluster({ closed: true, inboxOpen: false });
  await closed.ownership.read([0]);
  for (const path of [paths.root, paths.shards, paths.cluster, paths.shard(0), paths.nodes]) {
    await assert.rejects(anonymous.getData(path), { code: "NOAUTH" }, path);
  }
  await closed.close();
  const open = await given.cluster({ closed: false });
  for (const path of [paths.root, paths.shard(0)]) await anonymous.getData(path);
  await open.close();
});

test("keys are the cluster's alone, whether it is open, was closed, or is opened again", async () => {
  const key = `${paths.keys}/abc`;
  const unread = async (): Promise<void> => {
    await assert.rejects(anonymous.getChildren(paths.keys), { code: "NOAUTH" });
    await assert.rejects(anonymous.getData(key), { code: "NOAUTH" });
    await assert.rejects(anonymous.create(`${paths.keys}/mine`), { code: "NOAUTH" });
  };
  const cluster = await given.cluster();
  const acl = (await cluster.client.getAcl(paths.keys)).acl;
  await cluster.client.create(key, Buffer.from("hash"), { acl });
  await unread();
  await cluster.close();
  for (const closed of [true, false]) {
    const again = await given.cluster({ closed, inboxOpen: !closed });
    await unread();
    assert.deepEqual((await again.client.getChildren(paths.keys)).children, ["abc"]);
    await again.close();
  }
});

test("other credentials do not join", async () => {
  await (await given.cluster({ closed: true })).close();
  const credentials = { user: "logkeep", password: "guess" };
  await assert.rejects(openCluster(given.options({ credentials, closed: true })), {
    code: "cluster.mismatch",
  });
});

test("a znode that is not ours is named", async () => {
  const cluster = await given.cluster({ closed: true });
  await cluster.client.setData(paths.cluster, Buffer.from('{"id":7}'));
  await assert.rejects(openCluster(given.options({ closed: true })), (thrown) => {
    const { code, fields } = thrown as { code: string; fields: { path: string } };
    return code === "cluster.malformed" && fields.path === paths.cluster;
  });
  await cluster.close();
});

test("waiting for a coordinator ends with the signal", async () => {
  const options = given.options({ connect: "127.0.0.1:1" });
  const reason = new Error("enough");
  await assert.rejects(openCluster(options, AbortSignal.abort(reason)), reason);
  await assert.rejects(openCluster({ ...options, connect: "a:b" }), { code: "config.invalid" });
});
