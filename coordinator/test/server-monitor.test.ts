// Goal: members of an ensemble tell of it as ZooKeeper's servers do, by four-letter words and by the admin server.
import assert from "node:assert/strict";
import test from "node:test";

import { QuantileSummary, ValueSummary } from "../src/server/value-summary.ts";
import { TestEnsemble, until } from "./ensemble-harness.ts";
import { fourLetters } from "./server-harness.ts";

type Json = Readonly<Record<string, unknown>>;

async function monitored(ensemble: TestEnsemble, id: number): Promise<ReadonlyMap<string, string>> {
  const text = await fourLetters(ensemble.port(id), "mntr");
  return new Map(text.split("\n").map((line) => line.split("\t") as [string, string]));
}

test("leader, follower and observer tell what they are, as mntr, srvr and the admin server do", async (context) => {
  const admin = { host: "127.0.0.1", port: 0 };
  const properties = new Map([
    ["zookeeper.admin.enableServer", "true"],
    ["zookeeper.ssl.keyStore.password", "geheim"],
  ]);
  const ensemble = new TestEnsemble(context, [1, 2, 3], { admin, properties }, [4]);
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const follower = [1, 2, 3].find((id) => id !== leader)!;
  const client = await ensemble.client(context, leader);
  await client.create("/a");
  const led = await monitored(ensemble, leader);
  const rows: readonly (readonly [string, string])[] = [
    ["zk_server_state", "leader"],
    ["zk_peer_state", "leading - broadcast"],
    ["zk_quorum_size", "3"],
    ["zk_learners", "3"],
    ["zk_synced_followers", "2"],
    ["zk_synced_non_voting_followers", "0"],
    ["zk_synced_observers", "1"],
    ["zk_pending_syncs", "0"],
    ["zk_looking_count", "1"],
    ["zk_cnt_election_time", "1"],
    ["zk_cnt_leader_unavailable_time", "1"],
    ["zk_cnt_updatelatency", "1"],
  ];
  for (const [name, value] of rows) assert.equal(led.get(name), value, name);
  const size = Number(led.get("zk_last_proposal_size"));
  assert(size > 50 && size <= Number(led.get("zk_max_proposal_size")), String(size));
  assert(Number(led.get("zk_leader_uptime")) >= 0);
  const followed = await monitored(ensemble, follower);
  assert.equal(followed.get("zk_server_state"), "follower");
  assert.equal(followed.get("zk_peer_state"), "following - broadcast");
  assert.equal(followed.get("zk_cnt_leader_unavailable_time"), "0");
  assert.equal(followed.has("zk_learners"), false);
  assert.equal((await monitored(ensemble, 4)).get("zk_peer_state"), "observing - broadcast");
  const ofLeader = await fourLetters(ensemble.port(leader), "srvr");
  assert.match(
    ofLeader,
    /\nMode: leader\nNode count: \d+\nProposal sizes last\/min\/max: \d+\/\d+\/\d+\n$/,
  );
  assert.match(
    await fourLetters(ensemble.port(follower), "srvr"),
    /\nMode: follower\nNode count: \d+\n$/,
  );
});

test("the admin server knows the leader, the voters and how far a member is", async (context) => {
  const admin = { host: "127.0.0.1", port: 0 };
  const properties = new Map([
    ["zookeeper.admin.enableServer", "true"],
    ["zookeeper.ssl.keyStore.password", "geheim"],
  ]);
  const ensemble = new TestEnsemble(context, [1, 2, 3], { admin, properties }, [4]);
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const ask = async (id: number, name: string): Promise<Json> => {
    const { host, port } = ensemble.get(id).adminAddress!;
    return (await (await fetch(`http://${host}:${port}/commands/${name}`)).json()) as Json;
  };
  const ip = ensemble.membership.members.find(({ id }) => id === leader)!.addresses[0]!.host;
  assert.deepEqual(await ask(4, "lead"), {
    error: null,
    is_leader: false,
    leader_id: leader,
    leader_ip: ip,
    command: "leader",
  });
  assert.deepEqual((await ask(leader, "observers"))["observers"], [{ sid: 4 }]);
  const view = (await ask(4, "voting_view"))["current_config"] as Json;
  assert.deepEqual(Object.keys(view), ["1", "2", "3"]);
  assert.deepEqual((view[String(leader)] as Json)["serverAddresses"], [`${ip}:22888`]);
  const zab = await ask(4, "zabstate");
  assert.deepEqual([zab["myid"], zab["voting"], zab["zabstate"]], [4, false, "broadcast"]);
  const initial = (await ask(1, "icfg"))["initial_configuration"];
  assert.match(String(initial), /^server\.1=127\.\S+:22888:23888:participant\n/);
  const properly = await ask(1, "system_properties");
  assert.equal(properly["zookeeper.admin.enableServer"], "true");
  assert.equal(JSON.stringify(properly).includes("geheim"), false);
  const snapshot = await ask(1, "last_snapshot");
  assert(Number(snapshot["timestamp"]) > 1_600_000_000, JSON.stringify(snapshot));
  const { addresses } = ensemble.membership.members.find(({ id }) => id === 4)!;
  assert.match(
    await fourLetters(ensemble.port(4), "conf"),
    /\nserverId=4\ninitLimit=50\nsyncLimit=10\nelectionAlg=3\nelectionPort=23888\nquorumPort=22888\npeerType=1\nmembership: \nserver\.1=[\s\S]*\nserver\.4=\S+:observer\nversion=[\da-f]+$/,
  );
  const configured = await ask(4, "configuration");
  assert.deepEqual(
    [configured["peer_type"], configured["quorum_port"]],
    [1, addresses[0]!.quorumPort],
  );
  // Without a leader it says so, and only what needs none is answered.
  await ensemble.stop(leader);
  const left = [1, 2, 3].find((id) => id !== leader)!;
  const other = [1, 2, 3].find((id) => id !== leader && id !== left)!;
  await ensemble.stop(other);
  // The two may have elected one of them by then, or the last one may believe so yet from what the other said: that is given up
  // when the other does not come, and between two questions it may be one and the other.
  await until("the last one looks, and says so everywhere", async () => {
    const names = ["zabstate", "availability", "monitor"];
    const [zabState, availability, monitor] = await Promise.all(
      names.map((name) => ask(left, name)),
    );
    const isSaid = /not currently serving/.test(String(monitor!["error"]));
    return isSaid && zabState!["zabstate"] === "election" && availability!["state"] === "electing";
  });
});

test("summaries tell quantiles to three parts in a hundred, and forget what is old", () => {
  const plain = new ValueSummary();
  for (const value of [3.2, 1, 8]) plain.add(value);
  assert.deepEqual([plain.count, plain.sum, plain.min, plain.max], [3, 12, 1, 8]);
  const summary = new QuantileSummary();
  for (let value = 1; value <= 10_000; value++) summary.add(value, 0);
  for (const share of [0.1, 0.5, 0.95, 0.99, 0.999]) {
    const found = summary.quantile(share);
    assert(found <= share * 10_000 && found >= share * 10_000 * 0.96, `${share}: ${found}`);
  }
  summary.add(2 ** 40, 1);
  assert(summary.quantile(1) >= 2 ** 30);
  summary.add(5, 301_000);
  assert(summary.quantile(0.5) > 4_000);
  for (let at = 0; at < 3; at++) summary.add(7, 700_000 + at);
  assert.deepEqual([summary.quantile(0.5), summary.quantile(0.01)], [7, 5]);
  summary.add(9, 1_500_000);
  assert.deepEqual([summary.quantile(0.01), summary.quantile(1)], [9, 9]);
  assert.equal(summary.count, 10_006);
  assert.equal(new QuantileSummary().quantile(0.5), 0);
});
