import { Looks } from "./looks.ts";
import type { Message } from "./messages.ts";
import { MultiQueue } from "./multi-queue.ts";
import { ReplicaLog } from "./replica-log.ts";
import type {
  Effect,
  LogPoint,
  MultiOp,
  PlantedFault,
  ReplicaOptions,
  Role,
  ShardFacts,
} from "./types.ts";

const none: ReadonlySet<PlantedFault> = new Set();

/** What the roles of a replica share: its log, what it knows, and what it has to say in this step. */
export class Core {
  /** `nodeId/diskId`. */
  readonly replica: string;
  /** `nodeId/diskId/incarnation`. */
  readonly self: string;
  readonly faults: ReadonlySet<PlantedFault>;
  readonly log: ReplicaLog;
  readonly looks: Looks;
  readonly multis: MultiQueue;
  /** Replicas to which there is a link. */
  readonly links = new Map<string, number>();
  /** Since when there is no link to a replica that had one. */
  readonly unlinkedSinceMs = new Map<string, number>();
  /** Which owner was heard last, and when. */
  ownerHeard: { readonly replica: string; readonly ms: number } | undefined;
  /** Replicas of which the coordinator said whether they are live. */
  readonly live = new Map<string, string | undefined>();
  /** The newest that is known of the znodes. */
  facts: ShardFacts | undefined;
  /** Since when its version is known. */
  factsSinceMs = 0;
  /** The monotonic time of this step. */
  nowMs = 0;
  /** Damage was found: it is not in sync, and may not acquire. */
  isDamaged: boolean;
  /** When the coordinator was last known to be reached: a barrier write was answered. */
  reachedMs = Number.NEGATIVE_INFINITY;
  /** The disk is full or slow: others are preferred as owners. */
  isStrained = false;
  /** It is slow: every append waits for it. */
  isSlow = false;
  /** For a planted fault: where the log ended when the znodes were asked for last. */
  lookedEnd: LogPoint;
  #role: Role = { kind: "waiting" };
  #effects: Effect[] = [];

  constructor(options: Omit<ReplicaOptions, "minInSync">) {
    const { replica, self, state, faults = none } = options;
    const emit = (effect: Effect): void => this.emit(effect);
    this.replica = replica;
    this.self = self;
    this.faults = faults;
    this.log = new ReplicaLog(state, emit);
    // What was committed once and is not there any more is damage, whatever the cause.
    this.isDamaged = state.isDamaged || this.log.committed > this.log.end.position;
    this.lookedEnd = this.log.end;
    this.looks = new Looks(emit, () => {
      this.lookedEnd = this.log.end;
    });
    const isUnchecked = (op: MultiOp): boolean =>
      op.kind === "manifest"
        ? op.commit.kind === "merge" && faults.has("merge-without-check")
        : faults.has("version-check-skipped");
    this.multis = new MultiQueue(emit, this.looks, isUnchecked);
  }

  get role(): Role {
    return this.#role;
  }

  set role(role: Role) {
    this.#role = role;
    this.emit({ kind: "role", role });
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** What this step has to say. */
  take(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Over the link there is; without one the message is needless, since a new link begins anew. */
  send(to: string, message: Message): void {
    const link = this.links.get(to);
    if (link !== undefined) this.emit({ kind: "send", to, link, message });
  }

  /** There is a link to a replica with this number, or none. */
  linked(replica: string, link: number | undefined): void {
    if (link === undefined) {
      this.links.delete(replica);
      if (!this.unlinkedSinceMs.has(replica)) this.unlinkedSinceMs.set(replica, this.nowMs);
    } else {
      this.links.set(replica, link);
      this.unlinkedSinceMs.delete(replica);
    }
  }

  /** This replica owns the shard no more: it waits for whoever does. */
  waitFor({ epoch, owner }: ShardFacts): void {
    const isOther = owner !== undefined && owner !== this.self;
    this.role = isOther ? { kind: "follower", owner, epoch } : { kind: "waiting" };
  }

  /** Takes a reading, unless a newer one is known. At one version the owner znode may still differ. */
  learn(facts: ShardFacts): boolean {
    const known = this.facts;
    if (known !== undefined && facts.version < known.version) return false;
    if (facts.version !== known?.version) this.factsSinceMs = this.nowMs;
    this.facts = facts;
    return true;
  }

  /**
   * "Moving": until when others hold back from a shard that was handed over, from when they saw that version. A
   * preference: not for one who is known to be gone.
   */
  heldBackUntilMs({ next, owner, transferMs }: ShardFacts): number {
    if (owner !== undefined || next === undefined || next === this.replica) return 0;
    const isGone = this.live.has(next) && this.live.get(next) === undefined;
    return isGone ? 0 : this.factsSinceMs + transferMs;
  }

  /** Whether the znode has this replica in the set. A wiped disk is another replica. */
  isMember({ inSync }: ShardFacts): boolean {
    if (this.faults.has("wiped-disk-acquires")) {
      return inSync.some((member) => nodeOf(member) === nodeOf(this.replica));
    }
    return inSync.includes(this.replica);
  }
}

/** The replica of a `nodeId/diskId/incarnation`. */
export function replicaOf(process: string): string {
  return process.slice(0, process.lastIndexOf("/"));
}

function nodeOf(replica: string): string {
  return replica.slice(0, replica.indexOf("/"));
}
