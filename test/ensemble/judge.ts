import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ensemble } from "./ensemble.ts";
import { faultsOf } from "./history.ts";
import { goneTwice, logDifferences, sharedTxns, txnsOf } from "./logs.ts";
import { base, type Notes } from "./notes.ts";
import { checkRegister } from "./register.ts";
import { syncAndRead } from "./sync-and-read.ts";
import { differences, type Tree, treeOf, withMember } from "./trees.ts";
import type { Workload } from "./workload.ts";

export interface JudgeOptions {
  /** Default true: what is behind a sync is linearizable. Not where Apache answers a sync, as a leader that was deposed may. */
  readonly isSyncLinearizable?: boolean;
  /** Default true: nothing was bad enough for a session to end. */
  readonly areSessionsKept?: boolean;
}

/** Sessions that nobody closed must have ended by then, and what they had made must be gone. */
const settleMsMax = 120_000;

/**
 * Ends a run and holds all that was noted to what an ensemble promises. All members must run. Gives a line of
 * figures.
 */
export async function judge(
  ensemble: Ensemble,
  workload: Workload,
  options: JudgeOptions = {},
): Promise<string> {
  const { isSyncLinearizable = true, areSessionsKept = true } = options;
  await ensemble.serving();
  const notes = await workload.stop();
  await readAtEnd(ensemble, notes);
  assert.deepEqual(notes.faults, []);
  assert.deepEqual(faultsOf(notes.seen).slice(0, 10), []);
  if (areSessionsKept) assert.deepEqual(notes.expired, []);
  const checked = checkRegisters(notes, isSyncLinearizable);
  const tree = await sameTree(ensemble);
  checkTree(tree, notes, workload);
  await workload.close();
  await ephemeralsGone(ensemble);
  await Promise.all(ensemble.members.map((member) => member.stop()));
  const logs = ensemble.members.map(({ dataDir }) => txnsOf(dataDir));
  assert.deepEqual(logDifferences(logs), []);
  for (const log of logs) assert.deepEqual(goneTwice(log, `${base}/ephemeral/`), []);
  const { counts, gaps, expired } = notes;
  const figures = {
    answered: counts.ok,
    refused: counts.refused,
    lost: counts.lost,
    checked,
    seen: notes.seen.length,
    znodes: tree.size,
    "txns on several": sharedTxns(logs),
    expired: expired.length,
    "longest gap ms": Math.round(gaps.longestMs),
  };
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

/** Every member's registers are read once more: what was acknowledged must be there. */
async function readAtEnd(ensemble: Ensemble, notes: Notes): Promise<void> {
  for (const member of ensemble.members) {
    await withMember(member, async (session) => {
      for (const path of notes.registers.keys()) {
        let isRead = await syncAndRead(session, notes, path);
        // A busy machine's member may lose its leader for a moment, and its clients with it.
        for (let tries = 1; !isRead && tries < 10; tries++) {
          await session.ready(performance.now() + settleMsMax);
          isRead = await syncAndRead(session, notes, path);
        }
        if (!isRead) throw new Error(`member ${member.id} does not show ${path}`);
      }
    });
  }
}

function checkRegisters(notes: Notes, isSyncLinearizable: boolean): number {
  let checked = 0;
  for (const [path, operations] of notes.registers) {
    const last = operations.reduce((end, each) => Math.max(end, each.start), 0);
    // The reads at the end are always held to it: by then there is one leader.
    const held = operations.filter(
      ({ call, start }) => isSyncLinearizable || call.kind !== "read" || start > last - 1,
    );
    checked += held.length;
    const verdict = checkRegister(held, "0");
    assert.equal(verdict.kind, "linearizable", `${path}: ${JSON.stringify(verdict)}`);
  }
  return checked;
}

/** Waits until all members show one tree: sessions of earlier clients may still end meanwhile. */
async function sameTree(ensemble: Ensemble): Promise<Tree> {
  const deadline = performance.now() + settleMsMax;
  for (;;) {
    const trees: Tree[] = [];
    for (const member of ensemble.members) trees.push(await treeOf(member));
    const [first, ...others] = trees as [Tree, ...Tree[]];
    const found = others.map((other) => differences(first, other));
    if (found.every((each) => each.length === 0)) return first;
    if (performance.now() > deadline) assert.deepEqual(found, [], "the members' trees differ");
    await sleep(300);
  }
}

function checkTree(tree: Tree, notes: Notes, workload: Workload): void {
  const lost = [...notes.created].filter(([path, czxid]) => {
    return !tree.get(path)?.includes(`czxid=${czxid.toString(16)} `);
  });
  assert.deepEqual(lost, [], "acknowledged creates are not there");
  const sequence = [...notes.created].filter(([path]) => path.startsWith(`${base}/sequence/n-`));
  const byName = sequence.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, czxid]) => czxid);
  assert.deepEqual(
    byName,
    [...byName].sort((a, b) => a - b),
    "names are not in order of czxids",
  );
  const gone = workload.ephemerals.filter((path) => !tree.has(path));
  assert.deepEqual(gone, [], "ephemerals of living sessions are gone");
}

async function ephemeralsGone(ensemble: Ensemble): Promise<void> {
  const deadline = performance.now() + settleMsMax;
  for (const member of ensemble.members) {
    for (;;) {
      const tree = await treeOf(member);
      const left = [...tree.keys()].filter((path) => path.startsWith(`${base}/ephemeral/`));
      if (left.length === 0) break;
      if (performance.now() > deadline) assert.deepEqual(left, [], `left at member ${member.id}`);
      await sleep(300);
    }
  }
}
