import { WireError } from "./errors.ts";
import { JuteReader } from "./reader.ts";
import type { JuteWriter } from "./writer.ts";

/** What opens a connection on the election port: who it is, and where it is found. */
export interface InitialMessage {
  /** `undefined` for an observer of old that gave no id. */
  readonly sender: number | undefined;
  /** `host:port`, `|` between several; undefined from servers before 3.5. */
  readonly addresses: string | undefined;
}

/** One address (since 3.5), several (since 3.6). Negative, so that no older server takes it for an id. */
const initialVersionOne = -65536n;
const initialVersionMany = -65535n;

/** The id that old observers gave in place of their own: Java's greatest long. */
const observerId = 2n ** 63n - 1n;

/** Bytes of the addresses in an initial message, as Apache's limit. */
export const addressBytesMax = 2048;

/** Version 2 when there are several addresses: servers before 3.6 do not read it. */
export function initialWrite(to: JuteWriter, sender: number, addresses: readonly string[]): void {
  to.long(addresses.length > 1 ? initialVersionMany : initialVersionOne);
  to.longNumber(sender);
  to.string(addresses.join("|"));
}

/**
 * The initial message at the start of a stream, and its length; undefined while it is not whole.
 * Throws a `WireError`.
 */
export function initialRead(
  bytes: Buffer,
): { readonly message: InitialMessage; readonly length: number } | undefined {
  if (bytes.length < 8) return undefined;
  const from = new JuteReader(bytes);
  const version = from.long();
  if (version >= 0n) {
    return { message: { sender: senderOf(version), addresses: undefined }, length: 8 };
  }
  if (version !== initialVersionOne && version !== initialVersionMany) {
    throw new WireError("version", `an initial message of version ${version}`, 0);
  }
  if (bytes.length < 20) return undefined;
  const sender = senderOf(from.long());
  const length = from.int();
  if (length <= 0 || length > addressBytesMax) {
    throw new WireError("length", `an address of ${length} bytes`, 16);
  }
  if (from.remaining < length) return undefined;
  const addresses = from.raw(length).toString("utf8");
  return { message: { sender, addresses }, length: 20 + length };
}

function senderOf(id: bigint): number | undefined {
  if (id === observerId) return undefined;
  if (id < 0n || id > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new WireError("range", `a server id is ${id}`, 0);
  }
  return Number(id);
}

/** The states in the order of their numbers. */
export const electionStates = ["looking", "following", "leading", "observing"] as const;
export type ElectionState = (typeof electionStates)[number];

/** What a peer says on the election port. */
export interface ElectionMessage {
  readonly state: ElectionState;
  /** Undefined from who has no vote: observers back nobody at first. */
  readonly vote:
    | { readonly leader: number; readonly zxid: number; readonly peerEpoch: number }
    | undefined;
  /** The logical clock. */
  readonly electionEpoch: number;
  /** The ensemble as the peer knows it, as `/zookeeper/config` shows it; undefined before 3.5. */
  readonly config: string | undefined;
}

/** The version that brings the ensemble along. */
const electionVersion = 2;

/** Java's smallest long stands in each field of a vote that is none. */
const noneHigh = -(2 ** 31);

/** Writes the message without the length before it. */
export function electionWrite(to: JuteWriter, message: ElectionMessage): void {
  const { vote, electionEpoch, config = "" } = message;
  to.int(electionStates.indexOf(message.state));
  voteFieldWrite(to, vote?.leader);
  voteFieldWrite(to, vote?.zxid);
  to.longNumber(electionEpoch);
  voteFieldWrite(to, vote?.peerEpoch);
  to.int(electionVersion);
  to.string(config);
}

/** Throws a `WireError`. Bytes after the message are a newer server's; they are let be. */
export function electionRead(bytes: Buffer): ElectionMessage {
  const from = new JuteReader(bytes);
  const state = electionStates[from.int()];
  if (state === undefined) throw new WireError("type", "a peer in an unknown state", 0);
  const leader = voteFieldRead(from);
  const zxid = voteFieldRead(from);
  const electionEpoch = from.longNumber();
  // 28 bytes before 3.4: the epoch is that of the zxid.
  const isOld = from.remaining === 0;
  const zxidEpoch = zxid === undefined ? undefined : Math.floor(zxid / 2 ** 32);
  const peerEpoch = isOld ? zxidEpoch : voteFieldRead(from);
  const version = from.remaining >= 4 ? from.int() : 0;
  const config = version >= electionVersion ? configRead(from) : undefined;
  const isVote = leader !== undefined && zxid !== undefined && peerEpoch !== undefined;
  const vote = isVote ? { leader, zxid, peerEpoch } : undefined;
  return { state, vote, electionEpoch, config };
}

function configRead(from: JuteReader): string {
  const at = from.position;
  const length = from.int();
  if (length < 0) throw new WireError("length", `a configuration of ${length} bytes`, at);
  return from.raw(length).toString("utf8");
}

function voteFieldWrite(to: JuteWriter, value: number | undefined): void {
  if (value === undefined || value < 0) {
    to.int(noneHigh);
    to.uint(0);
  } else to.longNumber(value);
}

/** Undefined for every negative number: none of them is a vote. */
function voteFieldRead(from: JuteReader): number | undefined {
  const at = from.position;
  const high = from.int();
  const low = from.uint();
  if (high < 0) return undefined;
  if (high >= 2 ** 21) throw new WireError("range", `a long is ${high}:${low}`, at);
  return high * 2 ** 32 + low;
}
