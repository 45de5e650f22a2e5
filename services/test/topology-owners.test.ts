import assert from "node:assert/strict";
import test from "node:test";
import { type OwnersTopology, TopologyOwners } from "../src/routing/topology-owners.ts";

/** Znodes as a list, and whoever follows them. */
class Znodes implements OwnersTopology {
  readonly owners = new Map<number, string>();
  readonly #listeners = new Set<(shard: number) => void>();

  ownerOf(shard: number): string | undefined {
    return this.owners.get(shard);
  }

  onShard(listener: (shard: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onNodes(): () => void {
    return () => undefined;
  }

  set(shard: number, node: number): void {
    this.owners.set(shard, `${node}/disk/incarnation`);
    for (const listener of this.#listeners) listener(shard);
  }
}

test("an owner is doubted until its znodes change, and who waits for a change is woken", async () => {
  const znodes = new Znodes();
  const owners = new TopologyOwners(znodes, 4);
  assert.equal(owners.nodeOf(0), undefined);
  znodes.set(0, 1);
  assert.equal(owners.nodeOf(0), 1);
  owners.doubt(0, 1);
  assert.equal(owners.nodeOf(0), undefined);
  const changed = owners.changed(60_000);
  znodes.set(0, 2);
  await changed;
  assert.equal(owners.nodeOf(0), 2);
  // What node 1 said before the move came late.
  owners.doubt(0, 1);
  assert.equal(owners.nodeOf(0), 2);
  await owners.close();
});

test("a change that came while something was tried is not slept through", async () => {
  const znodes = new Znodes();
  const owners = new TopologyOwners(znodes, 4);
  const woken: string[] = [];
  const { changes } = owners;
  znodes.set(2, 1);
  const late = owners.changed(60_000, changes).then(() => woken.push("late"));
  const next = owners.changed(60_000, owners.changes).then(() => woken.push("next"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(woken, ["late"]);
  znodes.set(2, 3);
  await Promise.all([late, next]);
  await owners.close();
});

test("a doubt passes by itself, since the node may have been about to serve", async () => {
  const znodes = new Znodes();
  const owners = new TopologyOwners(znodes, 4);
  znodes.set(3, 1);
  owners.doubt(3);
  assert.equal(owners.nodeOf(3), undefined);
  await owners.changed(60_000);
  assert.equal(owners.nodeOf(3), 1);
  await owners.close();
});
