import type { Ensemble, EnsembleChange } from "./ensemble.ts";
import type { EpochFile } from "./epochs.ts";
import type { LinkId, Message, Touch } from "./messages.ts";
import type { Proposal } from "./proposals.ts";
import type { Notification, PeerId } from "./vote.ts";

export type Input<B, R = never> =
  | { readonly kind: "start" }
  | { readonly kind: "tick" }
  | {
      readonly kind: "notification";
      readonly from: PeerId;
      readonly notification: Notification;
    }
  /** A link is there: one that was asked for by `connect`, or one that a learner opened. */
  | { readonly kind: "linkUp"; readonly link: LinkId; readonly opened: boolean }
  | { readonly kind: "linkDown"; readonly link: LinkId }
  /** The link that was asked for could not be opened. */
  | { readonly kind: "linkRefused" }
  | { readonly kind: "message"; readonly link: LinkId; readonly message: Message<B, R> }
  /** An epoch file is on disk. */
  | { readonly kind: "epochWritten"; readonly file: EpochFile; readonly epoch: number }
  /** The own log is on disk through this zxid. */
  | { readonly kind: "written"; readonly zxid: number }
  /** The log ends here on disk; the tree too. */
  | { readonly kind: "truncated"; readonly zxid: number }
  /** The snapshot that came is on disk in place of all else, and is the tree. */
  | { readonly kind: "installed"; readonly zxid: number }
  /** A snapshot of the own tree is on disk; the log may have lost what it holds. */
  | { readonly kind: "snapshotTaken"; readonly zxid: number }
  /** With an ensemble: a change to it, with its own zxid for a version; none may be under way. */
  | { readonly kind: "propose"; readonly body: B; readonly ensemble?: Ensemble }
  | { readonly kind: "propose"; readonly bodies: readonly B[] }
  /** A learner's client wants a write. */
  | { readonly kind: "request"; readonly request: R }
  | { readonly kind: "touch"; readonly sessionId: bigint; readonly timeoutMs: number }
  | { readonly kind: "revalidate"; readonly sessionId: bigint; readonly timeoutMs: number }
  /** The leader's host answers an `asked` revalidate. */
  | {
      readonly kind: "revalidated";
      readonly link: LinkId;
      readonly sessionId: bigint;
      readonly isValid: boolean;
    }
  | { readonly kind: "sync"; readonly tag: number }
  /** A leader commits what it has proposed and steps down; a `stop` takes no part in what follows. */
  | { readonly kind: "resign"; readonly next: "stop" | "look" };

export type Role =
  | { readonly kind: "looking" }
  /** Serves: a quorum has this epoch's history on disk. */
  | { readonly kind: "leading"; readonly epoch: number }
  | { readonly kind: "following"; readonly epoch: number; readonly leader: PeerId }
  | { readonly kind: "observing"; readonly epoch: number; readonly leader: PeerId }
  | { readonly kind: "stopped" };

/** How far a peer is with its leader, in ZooKeeper's words. */
export type ZabState = "election" | "discovery" | "synchronization" | "broadcast";

/** What another peer or the leader's answer brings to the host. */
export type Event<R> =
  | { readonly kind: "requested"; readonly link: LinkId; readonly request: R }
  | { readonly kind: "touched"; readonly touched: readonly Touch[] }
  | {
      readonly kind: "revalidating";
      readonly link: LinkId;
      readonly sessionId: bigint;
      readonly timeoutMs: number;
    }
  | { readonly kind: "revalidated"; readonly sessionId: bigint; readonly isValid: boolean }
  /** Everything that was committed when `sync` was asked for is applied. */
  | { readonly kind: "synced"; readonly tag: number };

/**
 * What the host must do, in the order of the fields. Writes and sends may run side by side: what may go out
 * only once a write is on disk is returned by the step that takes the finished write.
 */
export interface Effects<B, R = never> {
  /** To be on disk before anything that follows is done, in this step or a later one: it is rare. */
  readonly ensembles: EnsembleChange | undefined;
  /** The log is to end here; a tree that holds more is rebuilt. Answered by `truncated`. */
  readonly truncate: number | undefined;
  /** The image that came with `snap` is to replace everything. Answered by `installed`. */
  readonly install: number | undefined;
  readonly append: readonly Proposal<B>[];
  readonly epochWrite: { readonly file: EpochFile; readonly epoch: number } | undefined;
  /** To be applied to the tree as at a restart: nobody is answered, and it may yet be truncated. */
  readonly load: readonly Proposal<B>[];
  readonly commit: readonly Proposal<B>[];
  readonly notify: readonly { readonly to: PeerId; readonly notification: Notification }[];
  readonly send: readonly { readonly to: LinkId; readonly message: Message<B, R> }[];
  readonly close: readonly LinkId[];
  /** A link to this peer's quorum port is wanted. */
  readonly connect: PeerId | undefined;
  readonly events: readonly Event<R>[];
  readonly role: Role | undefined;
}

/** Gathers the effects of one step. */
export class Outbox<B, R> implements Effects<B, R> {
  ensembles: EnsembleChange | undefined = undefined;
  truncate: number | undefined = undefined;
  install: number | undefined = undefined;
  append: readonly Proposal<B>[] = none;
  epochWrite: { readonly file: EpochFile; readonly epoch: number } | undefined = undefined;
  load: readonly Proposal<B>[] = none;
  commit: readonly Proposal<B>[] = none;
  notify: { readonly to: PeerId; readonly notification: Notification }[] = [];
  send: { readonly to: LinkId; readonly message: Message<B, R> }[] = [];
  close: LinkId[] = [];
  connect: PeerId | undefined = undefined;
  events: Event<R>[] = [];
  role: Role | undefined = undefined;
}

const none: readonly never[] = [];
