import type { LinkId, Message } from "../core/messages.ts";
import type { Notification, PeerId } from "../core/vote.ts";
import type { Id } from "../wire/records.ts";
import type { TxnBytes } from "../wire/txn-bytes.ts";

/** A client's request on its way from a learner to the leader, as Apache's REQUEST carries it. */
export interface ForwardedRequest {
  readonly sessionId: bigint;
  readonly cxid: number;
  /** The op code. */
  readonly type: number;
  /** The request's body, after its header. For `createSession` the timeout as an int. */
  readonly payload: Buffer;
  /** Every identity of the client's connection. */
  readonly ids: readonly Id[];
}

export type QuorumMessage = Message<TxnBytes, ForwardedRequest>;

/**
 * A snapshot's body as Apache sends it, a piece at a time: sessions, ACLs, znodes through the path "/" that
 * closes them, without file header and seal.
 */
export interface ImageSource {
  readonly isDone: boolean;
  /** The next bytes, in a buffer of their own. Throws when the image was given up since its taker is too slow. */
  next(): Buffer;
  /** It is not wanted any more. */
  abandon(): void;
}

/** Where the bytes of a snapshot that comes in are kept until it is whole. */
export interface ImageSink {
  /** The same bytes as `ImageSource` gave. Resolves when it can take more; rejects when the disk does not take them. */
  write(bytes: Buffer): Promise<void>;
  /** The image is whole; it is not in force before `install`. */
  end(): Promise<void>;
  abandon(): void;
}

/** What the network tells the host; each in a turn of its own. */
export interface QuorumEvents {
  notified(from: PeerId, notification: Notification): void;
  /** `opened`: this peer asked for the link. */
  linkUp(link: LinkId, opened: boolean): void;
  linkDown(link: LinkId): void;
  /** The link that was asked for could not be opened. */
  linkRefused(): void;
  /**
   * What came in one read of the socket, in order; neighbours of a kind are one message. `snap` is given after its whole image
   * was taken by the sink that `imageBegin` returned, and nothing that follows it before.
   */
  messages(link: LinkId, messages: readonly QuorumMessage[]): void;
  imageBegin(link: LinkId, zxid: number): ImageSink;
  /** A listener or the election's network failed for good. */
  failed(error: Error): void;
}

/** The members' connections: elections on one port, leader and learners on another. */
export interface QuorumNetwork {
  /** Binds both ports. Throws the system's error when it cannot. */
  listen(): Promise<void>;
  notify(to: PeerId, notification: Notification): void;
  /** A link to this peer's quorum port is wanted: answered by `linkUp` or `linkRefused`. A later call takes its place. */
  connect(to: PeerId): void;
  /** Kept until `flush`. What is sent to a link that is gone is dropped. */
  send(to: LinkId, message: QuorumMessage): void;
  /** `snap` with its image; what is sent after it follows the last of its bytes. */
  sendImage(to: LinkId, zxid: number, image: ImageSource): void;
  /** Closes once what was sent so far is on its way. No `linkDown` follows. */
  close(link: LinkId): void;
  /** One write a link for all that was sent since the last. */
  flush(): void;
  end(): Promise<void>;
}
