import type { LeaderMessage, Touch } from "../core/messages.ts";
import type { PeerId } from "../core/vote.ts";
import { zxidCounter, zxidEpoch, zxidOf } from "../core/zxid.ts";
import { ByteSlab } from "../wire/byte-slab.ts";
import { decode } from "../wire/codec.ts";
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
import type { TxnBytes } from "../wire/txn-bytes.ts";
import { JuteWriter } from "../wire/writer.ts";
import { ensembleText } from "./ensembles.ts";
import { touchesMax } from "./limits.ts";
import { MessageBatch } from "./message-batch.ts";
import type { QuorumMessage } from "./ports.ts";
import { ZxidQueue } from "./zxid-queue.ts";

/**
 * The leader's end of a link: the core's messages as Apache's packets, and back. Where the core speaks of all through a
 * zxid, Apache has a packet for each txn; a commit goes only for what was proposed on this very link.
 */
export class LeaderWire {
  readonly #config: () => string;
  readonly #uncommitted = new ZxidQueue();
  readonly #data = new JuteWriter();
  readonly #batch = new MessageBatch();
  readonly #slab = new ByteSlab();
  /** A SYNC carries no name: answers go in the order of the questions, numbered here. */
  #syncTag = 0;
  #isNamed = false;
  #learnerZxid = 0;
  /** DIFF names the last txn that follows, which comes with the next message. */
  #isDiffOwed = false;
  /** A leader that serves says what is committed before NEWLEADER. */
  #isCommitSaid = false;
  #isAcknowledged = false;

  /** `config`: the ensemble as text, for NEWLEADER where the core does not say it. */
  constructor(config: () => string) {
    this.#config = config;
  }

  /** The learner has said who it is. */
  get isNamed(): boolean {
    return this.#isNamed;
  }

  write(message: LeaderMessage<TxnBytes>, to: JuteWriter): void {
    if (this.#isDiffOwed) this.#diff(message, to);
    switch (message.kind) {
      case "leaderInfo":
        this.#data.reset();
        this.#data.int(quorumProtocolVersion);
        packetWrite(to, packetTypes.leaderInfo, zxidOf(message.epoch, 0), this.#data.view());
        return;
      case "diff":
        this.#isDiffOwed = true;
        return;
      case "trunc":
      case "snap":
        packetWrite(to, packetTypes[message.kind], message.zxid);
        return;
      case "proposal":
        for (const { zxid, body } of message.proposals) {
          packetWrite(to, packetTypes.proposal, zxid, body.bytes);
          this.#uncommitted.add(zxid);
        }
        return;
      case "commit":
        this.#isCommitSaid = true;
        this.#commit(message.zxid, to, message.leader);
        return;
      case "inform":
        this.#inform(message, to);
        return;
      case "newLeader":
        this.#newLeader(message, to);
        return;
      default:
        this.#service(message, to);
    }
  }

  #service(
    message: LeaderMessage<TxnBytes> & {
      readonly kind: "upToDate" | "ping" | "revalidated" | "synced";
    },
    to: JuteWriter,
  ): void {
    switch (message.kind) {
      case "upToDate":
        packetWrite(to, packetTypes.upToDate, -1);
        return;
      case "ping":
        packetWrite(to, packetTypes.ping, message.round);
        return;
      case "revalidated":
        this.#data.reset();
        this.#data.long(message.sessionId);
        this.#data.boolean(message.isValid);
        packetWrite(to, packetTypes.revalidate, -1, this.#data.view());
        return;
      case "synced":
        packetWrite(to, packetTypes.sync, 0);
        return;
    }
  }

  #diff(message: LeaderMessage<TxnBytes>, to: JuteWriter): void {
    this.#isDiffOwed = false;
    const last = message.kind === "proposal" ? message.proposals.at(-1)?.zxid : undefined;
    packetWrite(to, packetTypes.diff, last ?? this.#learnerZxid);
  }

  /**
   * Apache's learners put on disk, before they acknowledge NEWLEADER, only what is committed. The history of a
   * leader that does not serve yet counts as that, as between Apache's: who follows it must take all of it.
   */
  #newLeader(
    { epoch, ensemble }: LeaderMessage<TxnBytes> & { readonly kind: "newLeader" },
    to: JuteWriter,
  ): void {
    if (!this.#isCommitSaid) this.#commit(Number.MAX_SAFE_INTEGER, to);
    // One that never changes has no text in the core.
    const isTold = ensemble !== undefined && ensemble.text !== "";
    const config = Buffer.from(isTold ? ensembleText(ensemble) : this.#config());
    packetWrite(to, packetTypes.newLeader, zxidOf(epoch, 0), config);
  }

  /** With a leader the last is a change of the ensemble. */
  #commit(through: number, to: JuteWriter, leader?: PeerId): void {
    this.#uncommitted.take(through, (zxid) => {
      if (leader === undefined || zxid < through) packetWrite(to, packetTypes.commit, zxid);
      else packetWrite(to, packetTypes.commitAndActivate, zxid, this.#activation(leader));
    });
  }

  #inform(
    { proposals, leader }: LeaderMessage<TxnBytes> & { readonly kind: "inform" },
    to: JuteWriter,
  ): void {
    const last = leader === undefined ? undefined : proposals.at(-1);
    for (const { zxid, body } of proposals) {
      if (leader === undefined || zxid !== last?.zxid) {
        packetWrite(to, packetTypes.inform, zxid, body.bytes);
      } else {
        const data = Buffer.concat([this.#activation(leader), body.bytes]);
        packetWrite(to, packetTypes.informAndActivate, zxid, data);
      }
    }
  }

  #activation(leader: PeerId): Buffer {
    this.#data.reset();
    this.#data.long(BigInt(leader));
    return this.#data.view();
  }

  /** Takes in a packet; what it says is in the next `take`. Throws a `WireError`. */
  read(packet: QuorumPacket): void {
    if (!this.#isNamed) {
      this.#learnerInfo(packet);
      return;
    }
    switch (packet.type) {
      case packetTypes.ackEpoch: {
        const currentEpoch = new JuteReader(dataOf(packet)).int();
        this.#learnerZxid = Math.max(0, packet.zxid);
        this.#batch.add({
          kind: "ackEpoch",
          currentEpoch: currentEpoch < 0 ? undefined : currentEpoch,
          zxidLast: this.#learnerZxid,
        });
        return;
      }
      case packetTypes.ack:
        this.#ack(packet.zxid);
        return;
      case packetTypes.ping:
        this.#batch.add({ kind: "pong", round: packet.zxid, touched: touchedRead(packet) });
        return;
      case packetTypes.request:
        this.#request(packet);
        return;
      case packetTypes.revalidate: {
        const from = new JuteReader(dataOf(packet));
        this.#batch.add({ kind: "revalidate", sessionId: from.long(), timeoutMs: from.int() });
        return;
      }
      default:
        throw new WireError("type", `a learner sent a packet of type ${packet.type}`, 0);
    }
  }

  take(): readonly QuorumMessage[] {
    return this.#batch.take();
  }

  #learnerInfo(packet: QuorumPacket): void {
    const { type, zxid } = packet;
    if (type !== packetTypes.followerInfo && type !== packetTypes.observerInfo) {
      throw new WireError("type", `a learner begins with a packet of type ${type}`, 0);
    }
    const { serverId, protocolVersion, configVersion } = decode(LearnerInfo, dataOf(packet));
    if (serverId < 0n || serverId > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new WireError("range", `a learner's id is ${serverId}`, 0);
    }
    if (protocolVersion < quorumProtocolVersion) {
      throw new WireError("version", `a learner of protocol version ${protocolVersion}`, 8);
    }
    if (configVersion < 0n || configVersion > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new WireError("range", `a learner's configuration has version ${configVersion}`, 12);
    }
    this.#isNamed = true;
    this.#batch.add({
      kind: "learnerInfo",
      peer: Number(serverId),
      isObserver: type === packetTypes.observerInfo,
      acceptedEpoch: zxidEpoch(Math.max(0, zxid)),
      ensembleVersion: Number(configVersion),
    });
  }

  /** The first acknowledges NEWLEADER; Apache's learners say it again after UPTODATE. */
  #ack(zxid: number): void {
    if (!this.#isAcknowledged) {
      this.#isAcknowledged = true;
      this.#batch.add({ kind: "ackNewLeader", epoch: zxidEpoch(zxid) });
    } else if (zxidCounter(zxid) !== 0) this.#batch.through("ack", zxid);
  }

  #request(packet: QuorumPacket): void {
    const data = dataOf(packet);
    const from = new JuteReader(data);
    const sessionId = from.long();
    const cxid = from.int();
    const type = from.int();
    if (type === opCodes.sync) {
      this.#batch.add({ kind: "sync", tag: ++this.#syncTag });
      return;
    }
    // A txn keeps views of it until it is applied.
    const payload = this.#slab.copy(data.subarray(from.position));
    const request = { sessionId, cxid, type, payload, ids: packet.ids };
    this.#batch.add({ kind: "request", request });
  }
}

export function dataOf({ type, data }: QuorumPacket): Buffer {
  if (data === null) throw new WireError("truncated", `a packet of type ${type} without data`, 0);
  return data;
}

function touchedRead(packet: QuorumPacket): readonly Touch[] {
  const from = new JuteReader(packet.data ?? Buffer.alloc(0));
  const touched: Touch[] = [];
  while (from.remaining > 0) {
    if (touched.length === touchesMax) throw new WireError("length", "too many sessions", 0);
    touched.push({ sessionId: from.long(), timeoutMs: from.int() });
  }
  return touched;
}
