// Goal: what a session made goes when the session ends and not before, once, whoever leads meanwhile.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { aclOpen } from "../../coordinator/src/client/acl.ts";
import {
  addWatchModes,
  createModes,
  eventTypes,
  opCodes,
} from "../../coordinator/src/wire/constants.ts";
import * as records from "../../coordinator/src/wire/records.ts";
import { Ensemble } from "./ensemble.ts";
import type { Member } from "./member.ts";
import { type Address, ClientSession, type SessionListener } from "./session.ts";
import { lacking, membersOf } from "./story.ts";
import { treeOf } from "./trees.ts";

/** No client of a busy machine is silent for so long. */
const timeoutMs = 6_000;
const parent = "/left";

/** A new leader grants each session its whole timeout again, after an election on a busy machine. */
const goneMsMax = 150_000;

const ignore = (): void => undefined;
const deaf: SessionListener = {
  attached: ignore,
  detached: ignore,
  expired: ignore,
  event: ignore,
};

async function sessionAt(address: Address, listener = deaf): Promise<ClientSession> {
  const session = new ClientSession({ addresses: [address], first: 0, timeoutMs }, listener);
  assert.ok(await session.ready(performance.now() + 90_000));
  return session;
}

async function make(
  session: ClientSession,
  path: string,
  mode: "persistent" | "ephemeral",
): Promise<void> {
  const body = { path, data: null, acl: aclOpen, flags: createModes[mode] };
  const { CreateRequest, Create2Response } = records;
  const made = await session.ask(opCodes.create2, CreateRequest, body, Create2Response);
  assert.equal(made.kind, "ok");
}

/**
 * Which ephemerals a client saw come and go. Members that lose their leader leave their clients; the watch is set again on the
 * next connection, long before a new leader lets any session end.
 */
function watcherAt(address: Address): {
  readonly session: ClientSession;
  readonly seen: string[];
  /** When the first ephemeral went, by `performance.now`. */
  goneMs(): number;
} {
  const seen: string[] = [];
  let goneMs = Number.POSITIVE_INFINITY;
  const body = { path: parent, mode: addWatchModes.persistentRecursive };
  const { AddWatchRequest, ErrorResponse } = records;
  const session = new ClientSession(
    { addresses: [address], first: 0, timeoutMs },
    {
      ...deaf,
      attached: () => {
        void session.ask(opCodes.addWatch, AddWatchRequest, body, ErrorResponse);
      },
      event: ({ type, path }) => {
        seen.push(`${type} ${path}`);
        if (type === eventTypes.deleted) goneMs = Math.min(goneMs, performance.now());
      },
    },
  );
  return { session, seen, goneMs: () => goneMs };
}

const cases = [
  "nothing else happens",
  "the leader is killed",
  "the leader is killed and comes back",
];

for (const what of cases) {
  test(`sessions that are left end once, while ${what}`, {
    skip: lacking(membersOf(3), false),
    timeout: 400_000,
  }, async (context) => {
    const ensemble = await Ensemble.start({ kinds: membersOf(3) });
    context.after(() => ensemble.end());
    const sessions: ClientSession[] = [];
    context.after(() => {
      for (const session of sessions) session.abandon();
    });
    try {
      await tell(ensemble, what, sessions);
    } catch (thrown) {
      throw new Error(`${(thrown as Error).message}\n${ensemble.logs()}`, { cause: thrown });
    }
  });
}

/** `sessions`: every one that is begun. */
async function tell(ensemble: Ensemble, what: string, sessions: ClientSession[]): Promise<void> {
  const leader = await ensemble.serving();
  const [other, another] = (await ensemble.others(leader)) as [Member, Member];
  const keeper = await sessionAt(another);
  sessions.push(keeper);
  await make(keeper, parent, "persistent");
  const { session: watcher, seen, goneMs } = watcherAt(another);
  sessions.push(watcher);
  assert.ok(await watcher.ready(performance.now() + 90_000));
  await make(keeper, `${parent}/kept`, "ephemeral");
  const left = await Promise.all([other, another, other, another].map((one) => sessionAt(one)));
  sessions.push(...left);
  const paths = left.map((_, at) => `${parent}/e${at}`);
  // The servers hear of each of them after this.
  const heardMs = performance.now();
  for (const [at, session] of left.entries()) await make(session, paths[at] as string, "ephemeral");
  const leftMs = performance.now();
  for (const session of left) session.abandon();
  if (what.includes("killed")) await leader.kill();
  if (what.includes("comes back")) leader.start();
  const deleted = (): string[] => seen.filter((one) => one.startsWith(`${eventTypes.deleted} `));
  while (deleted().length < paths.length) {
    assert.ok(performance.now() < leftMs + goneMsMax, `${deleted().length} are gone`);
    await sleep(50);
  }
  const spentMs = goneMs() - heardMs;
  // A server may hear of a client up to a tick before it notes it.
  assert.ok(spentMs > timeoutMs - 400, `gone after ${spentMs} ms`);
  const tree = await treeOf(other);
  assert.deepEqual(
    paths.filter((path) => tree.has(path)),
    [],
  );
  assert.ok(tree.has(`${parent}/kept`));
  const gone = paths.map((path) => `${eventTypes.deleted} ${path}`);
  assert.deepEqual(deleted().sort(), gone);
}
