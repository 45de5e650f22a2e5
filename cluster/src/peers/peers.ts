import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { NodeIdentity } from "../node.ts";

/** What peers send each other: a small value, and bytes that are carried as they are. */
export interface PeerMessage {
  /** Whatever `v8.serialize` takes; bounded by `headBytesMax`. What a peer sent is checked by whoever reads it. */
  readonly head: unknown;
  /**
   * Those of an answer belong to whoever asked. Those of a call are valid until its handler has settled, those of a one-way message until its
   * listeners have returned, or have given back what they keep. What is sent is copied before the call returns, unless `sent` is given.
   */
  readonly bytes: readonly Uint8Array[];
}

/** The process at the other end of a link, as it said and proved with the cluster's secret. */
export interface PeerIdentity extends NodeIdentity {
  /** Undefined for a guest: a process that has yet to learn which cluster it joins. */
  readonly cluster: string | undefined;
  /** The protocol version both speak: the highest that both know. */
  readonly protocol: number;
}

/** A connection to a peer, from its handshake to its end. Another connection is another link, even to the same process. */
export interface PeerLink {
  /** Unique within this process. */
  readonly id: number;
  readonly identity: PeerIdentity;
  /** What waits to be sent over it. */
  readonly queuedBytes: number;
}

/** An answer; with `sent`, its bytes are sent from where they lie, as those of `CallOptions` are. */
export interface PeerAnswer extends PeerMessage {
  readonly sent?: () => void;
}

export type CallHandler = (
  from: PeerIdentity,
  message: PeerMessage,
  signal: AbortSignal,
) => Promise<PeerAnswer>;

/**
 * Keeps the bytes of a one-way message beyond the call of its listener, until what this returns is called, once. What never is given back is
 * left to the collector.
 */
export type Keep = () => () => void;

export type StreamHandler = (
  from: PeerIdentity,
  message: PeerMessage,
  signal: AbortSignal,
) => AsyncIterable<PeerMessage>;

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs: number;
  /**
   * The message's bytes are sent from where they lie and stay as they are until this is called, once: they are on their way, or will
   * never be. That may be after the call has failed.
   */
  readonly sent?: () => void;
}

export interface HandleOptions {
  /** Whether a process that is no member yet may call it; not so by default. */
  readonly guests?: boolean;
}

/** The other nodes of the cluster, over one connection each. A node never calls itself. */
export interface Peers extends Closable {
  readonly self: NodeIdentity;
  /** `host:port` that the listener is bound to. */
  readonly address: string;
  /** Answers calls of a method; one handler a method. The signal aborts when the caller gave up or the link broke. */
  handle(method: string, handler: CallHandler, options?: HandleOptions): void;
  /** Answers with a stream, of which no more is asked for than the caller has taken, but for a window. */
  handleStream(method: string, handler: StreamHandler, options?: HandleOptions): void;
  /**
   * Rejects with `peer.unavailable` (`fields.sent` says whether it may have been carried out), with the handler's
   * `ServiceError`, and with the signal's reason.
   */
  call(
    node: number,
    method: string,
    message: PeerMessage,
    options: CallOptions,
  ): Promise<PeerMessage>;
  /** Asked anew in each iteration; ends with the errors of `call`. Leaving the loop cancels it at the peer. */
  stream(
    node: number,
    method: string,
    message: PeerMessage,
    options: { readonly signal?: AbortSignal },
  ): AsyncIterable<PeerMessage>;
  /**
   * One-way, in the order of sending while a link lasts. False: there is no link, or its queue is full; nothing was taken then. `sent` is as
   * of `CallOptions`.
   */
  send(node: number, channel: string, message: PeerMessage, sent?: () => void): boolean;
  /** Called when a node that `send` was refused for its queue can be sent to again. Returns how to stop. */
  onRoom(listener: (node: number) => void): () => void;
  /** Called in the order of sending; several may listen. Returns how to stop. */
  onMessage(
    channel: string,
    listener: (from: PeerIdentity, link: number, message: PeerMessage, keep: Keep) => void,
  ): () => void;
  /** Called with a link that is there from now on, and with undefined once it is not; with those that are there, at once. */
  onLink(listener: (node: number, link: PeerLink | undefined) => void): () => void;
  /** The link to a node, while there is one. */
  link(node: number): PeerLink | undefined;
  /** All that there are. */
  links(): readonly PeerLink[];
  /** Calls under way end with `peer.unavailable`. */
  close(): Promise<void>;
}

/** A node that may be dialled: from its live znode. */
export interface PeerAddress extends NodeIdentity {
  /** `host:port` of its listener for peers. */
  readonly peer: string;
}

/** Who is in the cluster now, as its znodes say. */
export interface PeerDirectory {
  /** May contain this node itself. */
  current(): readonly PeerAddress[];
  /** Called after each change. Returns how to stop. */
  onChange(listener: () => void): () => void;
}
