import type { Outcome } from "../tree/tree.ts";
import { none, type Znodes } from "../tree/znodes.ts";
import { errorNumbers, keeperStates, opCodes, xids } from "../wire/constants.ts";
import type { Txn } from "../wire/txns.ts";
import type { JuteWriter } from "../wire/writer.ts";

const word = 2 ** 32;

/** A zxid as a long, without a bigint. */
export function zxidWrite(to: JuteWriter, zxid: number): void {
  to.uint(Math.floor(zxid / word));
  to.uint(zxid % word);
}

/** Begins an answer without an error; its body follows, then `frameEnd` with the result. */
export function replyStart(to: JuteWriter, xid: number, zxid: number): number {
  return headStart(to, xid, zxid, errorNumbers.OK);
}

/** An answer without a body. */
export function replyPlain(to: JuteWriter, xid: number, zxid: number, error: number): void {
  to.frameEnd(headStart(to, xid, zxid, error));
}

function headStart(to: JuteWriter, xid: number, zxid: number, error: number): number {
  const start = to.frameStart();
  to.int(xid);
  zxidWrite(to, zxid);
  to.int(error);
  return start;
}

/** A watch went off. With no txn behind it, as on a reconnect, its zxid is -1. */
export function eventWrite(
  to: JuteWriter,
  event: { readonly type: number; readonly path: string; readonly zxid: number | undefined },
): void {
  const start = to.frameStart();
  to.int(xids.event);
  if (event.zxid === undefined) to.long(-1n);
  else zxidWrite(to, event.zxid);
  to.int(errorNumbers.OK);
  to.int(event.type);
  to.int(keeperStates.syncConnected);
  to.string(event.path);
  to.frameEnd(start);
}

/** The answer to a write that was committed. */
export function outcomeWrite(
  to: JuteWriter,
  reply: { readonly xid: number; readonly zxid: number; readonly type: number },
  txn: Txn,
  outcome: Outcome,
  znodes: Znodes,
): void {
  const { xid, zxid, type } = reply;
  if (outcome.error !== errorNumbers.OK) {
    replyPlain(to, xid, zxid, outcome.error);
    return;
  }
  const start = replyStart(to, xid, zxid);
  if (txn.type === "multi") multiWrite(to, txn.txns, outcome);
  else if (outcome.id !== none) bodyWrite(to, txn, type, znodes.stat(outcome.id));
  to.frameEnd(start);
}

function bodyWrite(to: JuteWriter, txn: Txn, type: number, stat: Buffer): void {
  if (txn.type.startsWith("create") && "path" in txn) to.string(txn.path);
  if (txn.type === "reconfig") to.buffer(txn.data);
  if (type !== opCodes.create) to.raw(stat);
}

function multiWrite(to: JuteWriter, txns: readonly Txn[], outcome: Outcome): void {
  const parts = outcome.parts!;
  const isFailed = parts.some(({ error }) => error !== errorNumbers.OK);
  for (const [index, { error, stat }] of parts.entries()) {
    const txn = txns[index]!;
    to.int(isFailed ? opCodes.error : opCodes[txn.type]);
    to.boolean(false);
    to.int(error);
    if (isFailed) to.int(error);
    else if (stat !== undefined) bodyWrite(to, txn, opCodes[txn.type], stat);
  }
  to.int(-1);
  to.boolean(true);
  to.int(-1);
}
