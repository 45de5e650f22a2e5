import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { chained, chainFault, emptyChain } from "../src/audit-chain.ts";

const entries = ["a", "b", "c", "d"].map((entry, i) => ({ czxid: (i + 16).toString(16), entry }));
const links = chained(emptyChain, entries);
const head = { count: 4, hash: links[3]?.hash ?? "" };

test("a chain is what anybody can compute with sha256sum", () => {
  const first = createHash("sha256")
    .update(`${"0".repeat(64)}\n10\na\n`)
    .digest("hex");
  assert.equal(links[0]?.hash, first);
  const second = createHash("sha256").update(`${first}\n11\nb\n`).digest("hex");
  assert.equal(links[1]?.hash, second);
});

test("a chain made in pieces is the chain made at once", () => {
  const [one, two] = chained(emptyChain, entries.slice(0, 2));
  assert.ok(one !== undefined && two !== undefined);
  const rest = chained({ count: 2, hash: two.hash }, entries.slice(2));
  assert.deepEqual([one, two, ...rest], links);
  assert.equal(chainFault(links, emptyChain, head), undefined);
});

test("an entry that was changed, left out, swapped, added or cut off is found", () => {
  const changed = links.with(1, { ...(links[1] as (typeof links)[0]), entry: "x" });
  assert.match(chainFault(changed, emptyChain, head) ?? "", /^entry 2 is not what/);
  assert.match(chainFault(links.toSpliced(1, 1), emptyChain, head) ?? "", /^entry 2 is missing/);
  assert.match(chainFault(links.slice(0, 3), emptyChain, head) ?? "", /^entries 4 to 4 are/);
  const [more] = chained(head, [{ czxid: "20", entry: "e" }]);
  assert.match(
    chainFault([...links, more ?? links[0]!], emptyChain, head) ?? "",
    /^entry 5 was never/,
  );
  // Whoever makes the whole chain anew cannot make its end, which the coordinator keeps.
  const forged = chained(emptyChain, entries.with(1, { czxid: "11", entry: "x" }));
  assert.match(chainFault(forged, emptyChain, head) ?? "", /another chain/);
});
