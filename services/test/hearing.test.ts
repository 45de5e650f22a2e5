import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerLink, Peers } from "../../cluster/src/peers/peers.ts";
import type { SessionEvent } from "../../coordinator/src/client/session-events.ts";
import { Hearing } from "../src/hearing.ts";

type OnLink = Parameters<Peers["onLink"]>[0];

/** A node 1 among others, its links and its session in the test's hand. */
function given() {
  let now = 10_000;
  let onLink: OnLink = () => undefined;
  let onSession: (event: SessionEvent) => void = () => undefined;
  const peers: Pick<Peers, "onLink" | "self"> = {
    self: { nodeId: 1, diskId: "disk", incarnation: "first" },
    onLink: (listener) => {
      onLink = listener;
      return () => undefined;
    },
  };
  const client = {
    isConnected: true,
    onSession: (listener: (event: SessionEvent) => void) => {
      onSession = listener;
      return () => undefined;
    },
  };
  const hearing = new Hearing(peers, client, () => now);
  return {
    hearing,
    link: (node: number, isThere: boolean) => onLink(node, isThere ? ({} as PeerLink) : undefined),
    session: (event: SessionEvent) => onSession(event),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const connected = { kind: "connected", sessionId: 1n, timeoutMs: 6000, isNew: false } as const;
const suspended = { kind: "suspended", reason: undefined } as const;

test("a node is silent from the end of its link on, and not for what a new link takes", () => {
  const { hearing, link, pass } = given();
  link(2, true);
  assert.equal(hearing.silentMs(2), undefined);
  link(2, false);
  pass(1_000);
  assert.equal(hearing.silentMs(2), undefined);
  pass(11_000);
  assert.equal(hearing.silentMs(2), 12_000);
  link(2, true);
  assert.equal(hearing.silentMs(2), undefined);
  assert.equal(hearing.silentMs(1), undefined, "a node hears itself");
});

test("a node that was never heard is silent from when it was first asked about", () => {
  const { hearing, pass } = given();
  assert.equal(hearing.silentMs(3), undefined);
  pass(5_000);
  assert.equal(hearing.silentMs(3), 5_000);
});

test("while the coordinator answers it says who is there; after that, who is silent is away", () => {
  const { hearing, link, session, pass } = given();
  link(2, true);
  link(3, true);
  link(3, false);
  pass(3_000);
  assert.deepEqual(hearing.away([1, 2, 3]), new Set());
  assert.equal(hearing.unansweredMs, undefined);
  session(suspended);
  pass(4_000);
  session(suspended);
  assert.equal(hearing.unansweredMs, 4_000);
  assert.deepEqual(hearing.away([1, 2, 3]), new Set([3]));
  session(connected);
  assert.equal(hearing.unansweredMs, undefined);
  assert.deepEqual(hearing.away([1, 2, 3]), new Set());
});
