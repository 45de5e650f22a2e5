import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { assert } from "../../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { NodeIdentity } from "../node.ts";
import { malformed } from "./frame.ts";
import { handshakeBytesMax, secretBytesMin } from "./limits.ts";

/**
 * Versions of the protocol between nodes that this process speaks. Two nodes use the highest that both know, so that a
 * cluster is upgraded node by node: a release reads the version of the one before.
 */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

export const versionsSpoken: VersionRange = { min: 1, max: 1 };

const name = z.string().min(1).max(256);
const version = z.int().min(1).max(65_535);

const helloSchema = z.object({
  /** Null: a guest, who has yet to learn it. */
  cluster: name.nullable(),
  nodeId: z.int().min(1).max(255),
  diskId: name,
  incarnation: name,
  versions: z.object({ min: version, max: version }),
  /** 32 random bytes, hexadecimal: a proof counts for this connection alone. */
  nonce: z.string().regex(/^[0-9a-f]{64}$/),
});
/** What each side says of itself; the side that dialled speaks first. */
export type Hello = z.infer<typeof helloSchema>;

const proofSchema = z.object({ proof: z.string().regex(/^[0-9a-f]{64}$/) });
const refusedSchema = z.object({ refused: z.string().max(64), reason: z.string().max(512) });

/** Why a peer is turned away. */
export type Refusal = "version" | "cluster" | "self" | "node" | "secret" | "duplicate" | "busy";

/** What the handshake is about, on both sides. */
export interface Greeting {
  readonly self: NodeIdentity;
  /** Undefined: this process is a guest. */
  readonly cluster: string | undefined;
  readonly versions: VersionRange;
  readonly secret: Uint8Array;
}

export function helloOf({ self, cluster, versions }: Greeting, nonce: string): Hello {
  const { nodeId, diskId, incarnation } = self;
  return { cluster: cluster ?? null, nodeId, diskId, incarnation, versions, nonce };
}

/** The protocol version to speak with whoever said this hello. Throws `peer.refused`. */
export function agree({ self, cluster, versions }: Greeting, hello: Hello): number {
  const chosen = Math.min(versions.max, hello.versions.max);
  if (chosen < versions.min || chosen < hello.versions.min) {
    const spoken = { ours: printRange(versions), theirs: printRange(hello.versions) };
    throw refused("version", "the nodes have no version of the protocol in common", spoken);
  }
  if (cluster === undefined && hello.cluster === null) {
    throw refused("cluster", "neither side is in a cluster");
  }
  if (cluster !== undefined && hello.cluster !== null && cluster !== hello.cluster) {
    throw refused("cluster", "the peer is in another cluster", { theirs: hello.cluster });
  }
  if (self.incarnation === hello.incarnation) throw refused("self", "the peer is this process");
  if (cluster !== undefined && hello.cluster !== null && self.nodeId === hello.nodeId) {
    throw refused("self", "the peer has this node's number", { node: hello.nodeId });
  }
  return chosen;
}

function printRange({ min, max }: VersionRange): string {
  return `${min}-${max}`;
}

export function refused(
  why: Refusal,
  message: string,
  fields: Readonly<Record<string, string | number>> = {},
): ServiceError {
  return new ServiceError("peer.refused", message, { why, ...fields });
}

/**
 * What only a holder of the secret can say, about exactly these two hellos: HMAC-SHA256 under a key drawn from the secret, over the
 * speaker's part, both hellos as they went over the wire, and what binds the connection below, when it has TLS. The parts differ, so that
 * a proof cannot be sent back as one's own.
 */
export function proofOf(
  secret: Uint8Array,
  speaker: "dialler" | "listener",
  { dialler, listener, binding }: Transcript,
): string {
  assert(secret.length >= secretBytesMin, "a cluster's secret is not short");
  const key = Buffer.from(hkdfSync("sha256", secret, "", "logkeep peer proof", 32));
  const mac = createHmac("sha256", key);
  for (const each of [Buffer.from(speaker), dialler, listener, binding]) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(each.length);
    mac.update(length).update(each);
  }
  return mac.digest("hex");
}

export interface Transcript {
  readonly dialler: Buffer;
  readonly listener: Buffer;
  /** Keying material that TLS exports; empty without. */
  readonly binding: Buffer;
}

/** Throws `peer.refused` for a wrong proof. */
export function checkProof(found: string, expected: string): void {
  const isRight = timingSafeEqual(Buffer.from(found, "hex"), Buffer.from(expected, "hex"));
  if (!isRight) throw refused("secret", "the peer has another secret");
}

const magic = Buffer.from("LKP1");
/** The mark that each message of a handshake begins with, and its length. */
const prefixBytes = magic.length + 2;

export function printHandshake(value: object): Buffer {
  const text = Buffer.from(JSON.stringify(value));
  assert(text.length <= handshakeBytesMax, "a message of the handshake is short");
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  return Buffer.concat([magic, length, text]);
}

/** The end of the first message of a handshake in `bytes`; undefined while more is needed. Throws `peer.malformed`. */
export function handshakeEnd(bytes: Buffer): number | undefined {
  const seen = Math.min(bytes.length, magic.length);
  if (!bytes.subarray(0, seen).equals(magic.subarray(0, seen))) throw malformed("mark", "other");
  if (bytes.length < prefixBytes) return undefined;
  const length = bytes.readUInt16LE(magic.length);
  if (length > handshakeBytesMax) throw malformed("handshake", length);
  const end = prefixBytes + length;
  return bytes.length < end ? undefined : end;
}

export function readHello(bytes: Buffer): Hello {
  return readAs(helloSchema, bytes);
}

export function readProof(bytes: Buffer): string {
  return readAs(proofSchema, bytes).proof;
}

/** Throws `peer.refused` with what the peer said, and `peer.malformed`. */
function readAs<T>(schema: z.ZodType<T>, bytes: Buffer): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8", prefixBytes));
  } catch (thrown) {
    throw malformed("handshake", messageOf(thrown).slice(0, 200));
  }
  const refusal = refusedSchema.safeParse(value);
  if (refusal.success) {
    const { refused: why, reason } = refusal.data;
    throw new ServiceError("peer.refused", `the peer refused: ${reason}`, { why });
  }
  const read = schema.safeParse(value);
  if (!read.success) throw malformed("handshake", read.error.message.slice(0, 200));
  return read.data;
}
