// Goal: asked the same, our leader proposes what Apache's does: the same txn, error or not, with the same digest behind it.
// Method: random requests of two sessions, one at a time, to a real server; its log is read, and each request is prepared by
// ours on the tree that the log has led to. A failure prints the seed; LOGKEEP_ROUNDS raises the number of requests.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Preparer, type WriteRequest } from "../../coordinator/src/tree/prepare.ts";
import { Tree } from "../../coordinator/src/tree/tree.ts";
import { type Codec, decode, encode } from "../../coordinator/src/wire/codec.ts";
import { errorNumbers, opCodes } from "../../coordinator/src/wire/constants.ts";
import { MultiRequest } from "../../coordinator/src/wire/multi.ts";
import * as records from "../../coordinator/src/wire/records.ts";
import { TxnEntry } from "../../coordinator/src/wire/txns.ts";
import { Prng } from "../../kit/src/prng.ts";
import { txnsOf } from "../ensemble/logs.ts";
import { Member } from "../ensemble/member.ts";
import { ClientSession } from "../ensemble/session.ts";
import { freePorts } from "../servers/ports.ts";
import { missingZooKeeper } from "../servers/zookeeper.ts";
import { temporaryFolder } from "../service.ts";
import { requestDraw } from "./request-draw.ts";

const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? "1");
const seed = Number(process.env["SEED"] ?? "1");
const requestCount = 1_500 * rounds;
const options = { skip: missingZooKeeper(), timeout: 300_000 + rounds * 60_000 };

const host = "127.0.0.1";
const startMsMax = 150_000;
/** Long enough that no session ends by itself. */
const timeoutMs = 40_000;

const silent = {
  attached: () => undefined,
  detached: () => undefined,
  expired: () => undefined,
  event: () => undefined,
};
/** What is answered is not looked at: the log says more. */
const unread: Codec<undefined> = { read: () => undefined, write: () => undefined };

test(
  "asked the same, ours proposes the txns and digests that Apache's log has",
  options,
  async () => {
    const [port] = (await freePorts(1)) as [number];
    const settings = ["tickTime=2000", "admin.enableServer=false", "extendedTypesEnabled=true"];
    const place = { id: 1, host, port, folder: temporaryFolder(), within: [], settings };
    const words = "4lw.commands.whitelist=*";
    const member = new Member({ ...place, settings: [...settings, words] }, "apache");
    try {
      await serving(member);
      const asked = await askAll(port, new Prng(seed));
      await member.kill();
      const { txns, errors } = compareAll(member.dataDir, asked);
      assert(
        txns > requestCount / 8 && errors > requestCount / 8,
        `${txns} txns, ${errors} errors`,
      );
    } finally {
      await member.kill();
    }
  },
);

/** Asks the server; what was asked, by the zxid that it took. */
async function askAll(port: number, prng: Prng): Promise<ReadonlyMap<number, WriteRequest>> {
  const place = { addresses: [{ host, port }], first: 0, timeoutMs };
  const sessions = [new ClientSession(place, silent), new ClientSession(place, silent)];
  const asked = new Map<number, WriteRequest>();
  for (const session of sessions) assert(await session.ready(performance.now() + startMsMax));
  for (let i = 0; i < requestCount; i++) {
    const request = requestDraw(prng);
    const outcome = await ask(prng.pick(sessions), request);
    assert("zxid" in outcome, `request ${i} is ${outcome.kind}, SEED=${seed}`);
    asked.set(outcome.zxid, request);
  }
  // One leaves, and takes its ephemerals along.
  await sessions[0]!.close();
  sessions[1]!.abandon();
  return asked;
}

function ask(session: ClientSession, request: WriteRequest): ReturnType<typeof session.ask> {
  switch (request.op) {
    case "create":
    case "create2":
    case "createContainer":
      return session.ask(opCodes[request.op], records.CreateRequest, request, unread);
    case "createTTL":
      return session.ask(opCodes.createTTL, records.CreateTtlRequest, request, unread);
    case "delete":
      return session.ask(opCodes.delete, records.VersionRequest, request, unread);
    case "deleteContainer":
      return session.ask(opCodes.deleteContainer, records.PathRequest, request, unread);
    case "setData":
      return session.ask(opCodes.setData, records.SetDataRequest, request, unread);
    case "setACL":
      return session.ask(opCodes.setACL, records.SetAclRequest, request, unread);
    case "multi":
      return session.ask(opCodes.multi, MultiRequest, request.ops, unread);
    default:
      assert.fail(request.op);
  }
}

/** Prepares what led to each entry of the log, compares, and goes on with the log's. */
function compareAll(
  dataDir: string,
  asked: ReadonlyMap<number, WriteRequest>,
): { readonly txns: number; readonly errors: number } {
  const tree = Tree.fresh<object>();
  // Apache's limits of quotas do not refuse unless they are told to.
  const preparer = new Preparer(tree, { enforceQuota: false });
  let errors = 0;
  const logged = txnsOf(dataDir);
  for (const [zxid, { bytes }] of logged) {
    const entry = decode(TxnEntry, Buffer.from(bytes, "hex"));
    const { header, txn, digest } = entry;
    const stamp = { zxid, timeMs: Number(header.timeMs) };
    const caller = { sessionId: header.sessionId, ids: [{ scheme: "ip", id: host }] };
    const request = requestOf(entry, asked.get(zxid));
    const prepared = preparer.prepare(request, caller, stamp);
    if (!isStricter(request, prepared.txn)) {
      const type = opCodes[prepared.txn.type];
      const ours = inspected(ordered({ header: { ...header, type }, ...prepared }));
      assert.equal(ours, inspected(ordered(entry)), `SEED=${seed} ${inspected(request)}`);
    }
    tree.apply({ sessionId: caller.sessionId, ...stamp }, txn, digest);
    preparer.applied(zxid, txn, caller.sessionId);
    if (txn.type === "error") errors++;
  }
  assert.equal(tree.digests.mismatches, 0);
  return { txns: logged.size - errors, errors };
}

function requestOf({ txn }: TxnEntry, asked: WriteRequest | undefined): WriteRequest {
  if (txn.type === "createSession") return { op: "createSession", timeoutMs: txn.timeoutMs };
  if (txn.type === "closeSession") return { op: "closeSession" };
  assert(asked !== undefined, `the log has a ${txn.type} that nobody asked for`);
  return asked;
}

/** Apache lets everyone delete by the request for containers; ours, who may delete. */
function isStricter({ op }: WriteRequest, txn: TxnEntry["txn"]): boolean {
  return op === "deleteContainer" && txn.type === "error" && txn.error === errorNumbers.NOAUTH;
}

/** Ephemerals that go with a session stand in the order of Apache's hashes there, in that of their making here. */
function ordered(entry: TxnEntry): TxnEntry {
  const { txn } = entry;
  if (txn.type !== "closeSession") return decode(TxnEntry, encode(TxnEntry, entry));
  return { ...entry, txn: { ...txn, paths: txn.paths?.toSorted() } };
}

function inspected(facts: object): string {
  return JSON.stringify(facts, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

async function serving(member: Member): Promise<void> {
  member.start();
  const until = performance.now() + startMsMax;
  while ((await member.mode()) !== "standalone") {
    assert(member.isRunning && performance.now() < until, member.log);
    await sleep(50);
  }
}
