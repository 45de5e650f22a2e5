import { z } from "zod";
import { ServiceError } from "../../../kit/src/errors.ts";
import type {
  SegmentFilePart,
  SegmentSource,
} from "../../../storage/src/replication/segment-source.ts";
import { messageBytesMax, segmentReadMs } from "./limits.ts";
import type { Peers } from "./peers.ts";
import { readHead } from "./read-head.ts";

const method = "segment.read";

const partSchema = z.object({
  replica: z.string().max(256),
  shard: z.int().nonnegative(),
  file: z.string().min(1).max(256),
  offset: z.int().nonnegative(),
  length: z.int().min(1).max(messageBytesMax),
});
const answerSchema = z.object({ isFound: z.boolean() });

/** Reads sealed files of other replicas by calls; `serveSegmentReads` answers them. */
export class PeerSegmentSource implements SegmentSource {
  readonly #peers: Peers;

  constructor(peers: Peers) {
    this.#peers = peers;
  }

  async read(
    replica: string,
    part: SegmentFilePart,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const node = Number(replica.slice(0, replica.indexOf("/")));
    const message = { head: { replica, ...part }, bytes: [] };
    const options = { signal, timeoutMs: segmentReadMs };
    const { head, bytes } = await this.#peers.call(node, method, message, options);
    if (!answerSchema.parse(head).isFound) return undefined;
    return bytes[0] ?? Buffer.alloc(0);
  }
}

/**
 * Answers what `PeerSegmentSource` of other nodes asks; `read` is as that of `SegmentSource`, of this node's own files, and gives bytes that
 * nobody else writes to.
 */
export function serveSegmentReads(
  peers: Peers,
  read: (part: SegmentFilePart) => Promise<Uint8Array | undefined>,
): void {
  const own = `${peers.self.nodeId}/${peers.self.diskId}`;
  peers.handle(method, async (_, { head }) => {
    const { replica, ...part } = readHead(partSchema, head);
    if (replica !== own) {
      const facts = { replica, own };
      throw new ServiceError("peer.unavailable", "the replica is not here", facts);
    }
    const bytes = await read(part);
    if (bytes === undefined) return { head: { isFound: false }, bytes: [] };
    return { head: { isFound: true }, bytes: [bytes], sent: () => undefined };
  });
}
