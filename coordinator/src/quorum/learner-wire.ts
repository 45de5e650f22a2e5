import { ServiceError } from "../../../kit/src/errors.ts";
import type { Ensemble } from "../core/ensemble.ts";
import type { LearnerMessage } from "../core/messages.ts";
import type { Proposal } from "../core/proposals.ts";
import type { PeerId } from "../core/vote.ts";
import { zxidEpoch, zxidOf } from "../core/zxid.ts";
import { ByteSlab } from "../wire/byte-slab.ts";
import { encode } from "../wire/codec.ts";
import { opCodes } from "../wire/constants.ts";
import { WireError } from "../wire/errors.ts";
import {
  LearnerInfo,
  packetTypes,
  packetWrite,
  type QuorumPacket,
  quorumProtocolVersion,
} from "../wire/quorum.ts";
import { JuteReader } from "../wire/reader.ts";
import { TxnBytes } from "../wire/txn-bytes.ts";
import { JuteWriter } from "../wire/writer.ts";
import { reconfigText } from "./ensembles.ts";
import { dataOf } from "./leader-wire.ts";
import { MessageBatch } from "./message-batch.ts";
import type { ForwardedRequest, QuorumMessage } from "./ports.ts";
import { ZxidQueue } from "./zxid-queue.ts";

/**
 * A learner's end of a link: the core's messages as Apache's packets, and back. Apache's leader sends its history as
 * committed before a quorum has taken it over: such commits are held until it says that it serves.
 */
export class LearnerWire {
  readonly #ensembleParse: ((text: string) => Ensemble) | undefined;
  readonly #unacknowledged = new ZxidQueue();
  readonly #data = new JuteWriter();
  readonly #batch = new MessageBatch();
  readonly #slab = new ByteSlab();
  #syncTags: number[] = [];
  /** The last txn that is here, or came. */
  #last = 0;
  #isHistoryWhole = false;
  /** What came as committed before NEWLEADER. */
  #heldCommit = 0;
  #isAcknowledged = false;

  /** `ensembleParse`: what to make of the text of a changed ensemble; undefined: it does not change. */
  constructor(ensembleParse?: (text: string) => Ensemble) {
    this.#ensembleParse = ensembleParse;
  }

  write(message: LearnerMessage<ForwardedRequest>, to: JuteWriter): void {
    switch (message.kind) {
      case "learnerInfo": {
        const info = {
          serverId: BigInt(message.peer),
          protocolVersion: quorumProtocolVersion,
          configVersion: BigInt(message.ensembleVersion ?? 0),
        };
        const type = message.isObserver ? packetTypes.observerInfo : packetTypes.followerInfo;
        packetWrite(to, type, zxidOf(message.acceptedEpoch, 0), encode(LearnerInfo, info));
        return;
      }
      case "ackEpoch":
        this.#last = message.zxidLast;
        this.#data.reset();
        this.#data.int(message.currentEpoch ?? -1);
        packetWrite(to, packetTypes.ackEpoch, message.zxidLast, this.#data.view());
        return;
      case "ackNewLeader":
        this.#isAcknowledged = true;
        packetWrite(to, packetTypes.ack, zxidOf(message.epoch, 0));
        return;
      case "ack":
        this.#unacknowledged.take(message.zxid, (zxid) => packetWrite(to, packetTypes.ack, zxid));
        return;
      default:
        this.#service(message, to);
    }
  }

  #service(
    message: LearnerMessage<ForwardedRequest> & {
      readonly kind: "pong" | "request" | "revalidate" | "sync";
    },
    to: JuteWriter,
  ): void {
    this.#data.reset();
    switch (message.kind) {
      case "pong":
        // Apache's leader takes nothing but the ACK of NEWLEADER for an answer to it.
        if (!this.#isAcknowledged) return;
        for (const { sessionId, timeoutMs } of message.touched) {
          this.#data.long(sessionId);
          this.#data.int(timeoutMs);
        }
        packetWrite(to, packetTypes.ping, message.round, this.#data.view());
        return;
      case "request": {
        const { sessionId, cxid, type, payload, ids } = message.request;
        this.#request(sessionId, cxid, type);
        this.#data.raw(payload);
        packetWrite(to, packetTypes.request, -1, this.#data.view(), ids);
        return;
      }
      case "revalidate":
        this.#data.long(message.sessionId);
        this.#data.int(message.timeoutMs);
        packetWrite(to, packetTypes.revalidate, -1, this.#data.view());
        return;
      case "sync":
        this.#syncTags.push(message.tag);
        this.#request(0n, 0, opCodes.sync);
        this.#data.string("/");
        packetWrite(to, packetTypes.request, -1, this.#data.view(), []);
        return;
    }
  }

  #request(sessionId: bigint, cxid: number, type: number): void {
    this.#data.long(sessionId);
    this.#data.int(cxid);
    this.#data.int(type);
  }

  /**
   * Takes in a packet; what it says is in the next `take`. Returns the zxid of a SNAP: its image follows, and `snapped` is to
   * be called at the end of that. Throws a `WireError`.
   */
  read(packet: QuorumPacket): number | undefined {
    const { type, zxid } = packet;
    switch (type) {
      case packetTypes.leaderInfo:
        this.#batch.add({ kind: "leaderInfo", epoch: zxidEpoch(positive(zxid)) });
        return undefined;
      case packetTypes.diff:
        // What it has is part of the leader's history: once that serves it is committed, and is not sent again.
        this.#heldCommit = this.#last;
        this.#batch.add({ kind: "diff" });
        return undefined;
      case packetTypes.trunc:
        this.#last = positive(zxid);
        this.#heldCommit = zxid;
        this.#batch.add({ kind: "trunc", zxid });
        return undefined;
      case packetTypes.snap:
        return positive(zxid);
      case packetTypes.proposal:
        this.#proposal("proposal", zxid, dataOf(packet));
        return undefined;
      case packetTypes.inform:
        this.#proposal("inform", zxid, dataOf(packet));
        return undefined;
      case packetTypes.informAndActivate:
        this.#informAndActivate(packet);
        return undefined;
      case packetTypes.commit:
        this.#commit(positive(zxid));
        return undefined;
      case packetTypes.commitAndActivate:
        this.#commit(positive(zxid), successorRead(packet));
        return undefined;
      case packetTypes.newLeader:
        this.#newLeader(packet);
        return undefined;
      default:
        this.#serviceRead(packet);
        return undefined;
    }
  }

  /** The image of a SNAP has come whole. */
  snapped(zxid: number): void {
    this.#last = zxid;
    this.#batch.add({ kind: "snap", zxid });
  }

  take(): readonly QuorumMessage[] {
    return this.#batch.take();
  }

  #serviceRead(packet: QuorumPacket): void {
    switch (packet.type) {
      case packetTypes.upToDate:
        if (this.#heldCommit > 0) this.#batch.through("commit", this.#heldCommit);
        this.#heldCommit = 0;
        this.#batch.add({ kind: "upToDate" });
        return;
      case packetTypes.ping:
        this.#batch.add({ kind: "ping", round: packet.zxid });
        return;
      case packetTypes.revalidate: {
        const from = new JuteReader(dataOf(packet));
        const sessionId = from.long();
        this.#batch.add({ kind: "revalidated", sessionId, isValid: from.boolean() });
        return;
      }
      case packetTypes.sync: {
        const tag = this.#syncTags.shift();
        if (tag === undefined) throw new WireError("type", "a SYNC that nobody asked for", 0);
        this.#batch.add({ kind: "synced", tag });
        return;
      }
      default:
        throw new WireError("type", `a leader sent a packet of type ${packet.type}`, 0);
    }
  }

  #newLeader(packet: QuorumPacket): void {
    this.#isHistoryWhole = true;
    // Committed by its leader's word: nobody waits for an ACK.
    this.#unacknowledged.take(this.#heldCommit, () => undefined);
    const epoch = zxidEpoch(positive(packet.zxid));
    const { data } = packet;
    // Leaders before 3.5 send none.
    const isTold = this.#ensembleParse !== undefined && data !== null && data.length > 1;
    const ensemble = isTold ? this.#ensemble(data.toString()) : undefined;
    const told = ensemble === undefined ? {} : { ensemble };
    this.#batch.add({ kind: "newLeader", epoch, ...told });
  }

  /** Apache's image may hold txns that follow it all the same; they are here already. */
  #proposal(kind: "proposal" | "inform", zxid: number, bytes: Buffer): void {
    if (zxid <= this.#last) return;
    if (kind === "proposal") this.#unacknowledged.add(zxid);
    this.#batch.proposal(kind, this.#take(zxid, bytes));
  }

  #take(zxid: number, bytes: Buffer): Proposal<TxnBytes> {
    this.#last = zxid;
    const body = new TxnBytes(this.#slab.copy(bytes));
    const text = this.#ensembleParse === undefined ? undefined : reconfigText(body);
    return text === undefined ? { zxid, body } : { zxid, body, ensemble: this.#ensemble(text) };
  }

  #informAndActivate(packet: QuorumPacket): void {
    const leader = successorRead(packet);
    const { zxid } = packet;
    if (zxid <= this.#last) return;
    const proposals = [this.#take(zxid, dataOf(packet).subarray(8))];
    this.#batch.add({ kind: "inform", proposals, leader });
  }

  #ensemble(text: string): Ensemble {
    try {
      return (this.#ensembleParse as (text: string) => Ensemble)(text);
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      throw new WireError("text", `an ensemble that is none: ${thrown.message}`, 0);
    }
  }

  /** With a leader the last is a change of the ensemble. */
  #commit(zxid: number, leader?: PeerId): void {
    if (!this.#isHistoryWhole) {
      this.#heldCommit = Math.max(this.#heldCommit, zxid);
      return;
    }
    const through = Math.max(zxid, this.#heldCommit);
    this.#heldCommit = 0;
    if (leader === undefined) this.#batch.through("commit", through);
    else this.#batch.add({ kind: "commit", zxid: through, leader });
  }
}

/** Who leads from a change of the ensemble on. */
function successorRead(packet: QuorumPacket): PeerId {
  return new JuteReader(dataOf(packet)).longNumber();
}

function positive(zxid: number): number {
  if (zxid < 0) throw new WireError("range", `a zxid is ${zxid}`, 4);
  return zxid;
}
