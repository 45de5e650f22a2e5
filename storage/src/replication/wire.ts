import { crc32 } from "node:zlib";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { LogEntry } from "../log/commit-log.ts";
import { entryBytesOf, headerDecode, headerEncode } from "../log/entry.ts";
import type { Message } from "./core/messages.ts";
import type { Entry } from "./core/types.ts";

/** What goes over a link: of which shard, and what the replicas' cores or their hosts say. */
export interface WireMessage {
  readonly shard: number;
  readonly message: Message | HostMessage;
}

/** Said beside the protocol. */
export interface HostMessage {
  /** The sender's log is filling up with what the shard's owner has not sealed. */
  readonly kind: "seal-wanted";
}

/** In the place of a log file's id: what checks a header on its way between replicas. */
const linkId = Buffer.from("logkeep-replica1");

/** Entries as they travel: header and body of each, one behind the other. */
export function entriesEncode(entries: readonly LogEntry[]): Uint8Array[] {
  return entries.flatMap(({ header, body }) => {
    const front = headerEncode(header, { fileId: linkId, groupOffset: 0 });
    return body.length === 0 ? [front] : [front, body];
  });
}

/**
 * Entries that came; their bodies lie in `bytes`, which are needed no more once `written` is called: when the last is on disk. That may never
 * be. Throws `storage.damaged` when they are not what was sent.
 */
export function entriesDecode(bytes: Buffer, written?: () => void): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const decoded = headerDecode(bytes, at, linkId);
    if (decoded === undefined) throw garbled(at);
    const { header, headerLength } = decoded;
    const bodyEnd = at + headerLength + header.bodyLength;
    const body = bytes.subarray(at + headerLength, bodyEnd);
    if (body.length !== header.bodyLength || crc32(body) !== header.bodyCrc) throw garbled(at);
    at = bodyEnd;
    const isLast = at === bytes.length && written !== undefined;
    entries.push(entryOf(isLast ? { header, body, written } : { header, body }));
  }
  return entries;
}

/** An entry as the core sees it. */
export function entryOf(logged: LogEntry): Entry {
  const { epoch, position, previousEpoch, previousPosition, committed, kind } = logged.header;
  return {
    ...{ epoch, position, previousEpoch, previousPosition, committed },
    kind: kind === "epoch-start" ? kind : "batch",
    bytes: entryBytesOf(logged.header),
    body: logged,
  };
}

function garbled(offset: number): ServiceError {
  return new ServiceError("storage.damaged", "entries of another replica are garbled", { offset });
}
