// Goal: a node that stands still while a query is under way costs it no record, nor the time until that node counts as dead.
// Method: the newest records lie at the node that is asked, and are more than the sockets to its client hold. The client has read
// the first of them when another node is stopped by SIGSTOP; what that one owns is asked for behind them, a file at a time.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "../service.ts";
import { shipOnce } from "./insist.ts";
import { Nodes } from "./nodes.ts";

const startMs = Date.UTC(2026, 10, 20);
/** Of 30 streams, so that each node has some. */
const older = Array.from({ length: 600 }, (_, i) => ({
  ...{ _time: startMs + i, service: `s${i % 30}`, id: `old-${i}`, story: "standstill" },
}));
/** 16 MiB of one stream. */
const newer = Array.from({ length: 512 }, (_, i) => ({
  ...{ _time: startMs + 3_600_000 + i, service: "long", id: `new-${i}`, story: "standstill" },
  pad: "x".repeat(32 * 1024),
}));
const ids: readonly string[] = [...older, ...newer].map(({ id }) => id).toSorted();

/**
 * A starved machine may be so slow that the link to the stopped node is given up before the answer is whole: then once more. One
 * that is so each time shows only that a copy was asked beside that node, and answered first. There, sessions and leases may run out,
 * too, which makes an answer partial.
 */
const triesMax = 6;

let nodes: Nodes;

before(async () => {
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000", LOGKEEP_STORAGE_SHARDS: "6" };
  nodes = await Nodes.start({ count: 3, env });
  await shipOnce(nodes.node(1), older);
  for (let at = 0; at < newer.length; at += 128) {
    await shipOnce(nodes.node(1), newer.slice(at, at + 128));
  }
});

after(() => nodes?.close());

/** The nodes that own files with what a query finds; undefined while some of that is in memory, of which there is no copy. */
async function ownersOf(query: string): Promise<number[] | undefined> {
  const text = `${query} | block_stats | stats by (part_path) count() n`;
  const parts = await nodes.node(1).search(text, { partial: "deny" });
  const owners = parts.map(({ part_path: file = "" }) => /\/node-(\d+)\//.exec(file)?.[1]);
  if (owners.length === 0 || !owners.every((owner) => owner !== undefined)) return undefined;
  return [...new Set(owners.map(Number))];
}

/** Whom to ask, and who is to stand still. */
async function parts(): Promise<{ askedId: number; stoppedId: number }> {
  await nodes.serving();
  const endMs = performance.now() + 120_000;
  for (;;) {
    const [askedId] = (await ownersOf("service:=long").catch(() => undefined)) ?? [];
    const owners = await ownersOf("story:standstill -service:=long").catch(() => undefined);
    const stoppedId = owners?.find((id) => id !== askedId);
    if (askedId !== undefined && stoppedId !== undefined) return { askedId, stoppedId };
    if (performance.now() > endMs) throw new Error(`the records do not come to rest\n${nodes.log}`);
    await sleep(200);
  }
}

interface Figures {
  /** Pieces of queries that another copy answered before the node that was asked first. */
  readonly overtaken: number;
  isLinkedTo(node: number): boolean;
}

async function figuresOf({ http }: Service): Promise<Figures> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const overtaken = /^logkeep_query_hedges_won_total (\d+)$/m.exec(text)?.[1];
  assert.ok(overtaken !== undefined);
  return {
    overtaken: Number(overtaken),
    isLinkedTo: (node) => text.includes(`logkeep_peer_link_queued_bytes{peer="${node}"}`),
  };
}

/** Asks for all records, says when the first of them are there, and gives the ids in order; undefined: flagged as partial. */
async function askForAll(node: Service, begun: () => void): Promise<string[] | undefined> {
  const query = "options(concurrency=1) story:standstill | fields id, pad";
  const params = { query, start: "0", limit: "0", summary: "1", timeout: "60s" };
  const response = await fetch(`${node.http}/api/v1/query?${new URLSearchParams(params)}`, {
    signal: AbortSignal.timeout(90_000),
  });
  assert.equal(response.status, 200);
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    if (text === "") begun();
    text += chunk;
  }
  const rows = text.split("\n").filter((line) => line !== "");
  const { _summary: summary } = JSON.parse(rows.pop() ?? "{}");
  assert.ok(["complete", "partial"].includes(summary?.status), JSON.stringify(summary));
  if (summary.status === "partial") return undefined;
  return rows.map((row) => (JSON.parse(row) as { id: string }).id).toSorted();
}

test("a node stands still amid a query: what it owns comes from copies, once, before it counts as dead", async (t) => {
  let byCopies = 0;
  for (let tries = 1; tries <= triesMax; tries++) {
    const { askedId, stoppedId } = await parts();
    const asked = nodes.node(askedId);
    const { child } = nodes.node(stoppedId);
    const before = await figuresOf(asked);
    try {
      let stoppedMs = 0;
      const found = await askForAll(asked, () => {
        child.kill("SIGSTOP");
        stoppedMs = performance.now();
      });
      const tookMs = Math.round(performance.now() - stoppedMs);
      if (found === undefined) {
        t.diagnostic(`partial ${tookMs} ms after the stop`);
        continue;
      }
      assert.deepEqual(found, ids);
      const now = await figuresOf(asked);
      const pieces = now.overtaken - before.overtaken;
      const isLinked = now.isLinkedTo(stoppedId);
      t.diagnostic(
        `whole ${tookMs} ms after the stop, ${pieces} pieces by copies, ${isLinked ? "still" : "not"} linked`,
      );
      if (pieces > 0 && isLinked) return;
      byCopies += pieces;
    } finally {
      child.kill("SIGCONT");
    }
  }
  assert.ok(byCopies > 0, `no copy was first\n${nodes.log}`);
});
