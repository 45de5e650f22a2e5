import type { SegmentRef } from "../../src/replication/core/types.ts";
import type { Checker } from "./checker.ts";
import type { Disk } from "./disk.ts";
import { paths, type SealedZnode, type ShardZnode } from "./files.ts";
import type { Znodes } from "./znodes.ts";

/**
 * What must hold of disks and znodes at any moment, whoever knows of it: everything committed is on every disk of the set,
 * in its log or sealed, unless that disk was wiped or has rotted.
 */
export class Invariants {
  readonly #tree: Znodes;
  readonly #disks: ReadonlyMap<string, Disk>;
  readonly #checker: Checker;
  /** Versions of `/shard` and `/segments` that were looked at. */
  #looked = "";
  #before: ShardZnode | undefined;
  /** Members that were damaged and have not left the set since. */
  readonly #hurt = new Set<string>();
  /** A person has made one who is not of the set its only member. */
  isLossAccepted = false;

  constructor(tree: Znodes, disks: ReadonlyMap<string, Disk>, checker: Checker) {
    this.#tree = tree;
    this.#disks = disks;
    this.#checker = checker;
  }

  get shard(): ShardZnode {
    return this.#tree.get(paths.shard)?.data as ShardZnode;
  }

  /** Whether a disk holds what it is relied on for. */
  isHealthy(replica: string): boolean {
    return this.#disks.get(replica)?.isRotten === false;
  }

  /** Whether the set has another good disk, or one that was repaired since it was hurt: all but one may be hurt. */
  canLose(replica: string): boolean {
    const { inSync } = this.shard;
    if (!inSync.includes(replica)) return true;
    return inSync.some((each) => {
      return each !== replica && this.isHealthy(each) && !this.#hurt.has(each);
    });
  }

  /** Damage that is let go of with the log is none, but the replica knows of it until it has been repaired. */
  hurts(replica: string): void {
    this.#hurt.add(replica);
  }

  /** An entry is taken for committed. */
  committed(who: string, epoch: number, position: number): void {
    for (const replica of this.shard.inSync) {
      if (this.#has(replica, epoch, position)) continue;
      this.#checker.fail(
        `durability: ${who} commits ${epoch}/${position}, which is not on the disk of ${replica}`,
      );
    }
  }

  /** A txn was committed at the coordinator. */
  txn(): void {
    const shard = this.#tree.get(paths.shard);
    const sealed = this.#tree.get(paths.sealed);
    const looked = `${shard?.version} ${sealed?.version}`;
    if (looked === this.#looked || shard === undefined || sealed === undefined) return;
    this.#looked = looked;
    this.#setChanged(shard.data as ShardZnode);
    this.#sealedChanged(sealed.data as SealedZnode);
  }

  #setChanged(now: ShardZnode): void {
    const before = this.#before;
    this.#before = now;
    if (before === undefined || before === now) return;
    for (const replica of this.#hurt) if (!now.inSync.includes(replica)) this.#hurt.delete(replica);
    const checker = this.#checker;
    if (now.epoch < before.epoch) checker.fail(`epochs: ${before.epoch}, then ${now.epoch}`);
    const owner = now.owner?.slice(0, now.owner.lastIndexOf("/"));
    const isStranger = owner !== undefined && !before.inSync.includes(owner);
    if (now.epoch > before.epoch && isStranger && !this.isLossAccepted) {
      checker.fail(`ownership: ${owner} acquires and is not of the set ${before.inSync}`);
    }
    if (now.inSync.length === 0) checker.fail("a set without a member");
    for (const replica of now.inSync) this.#hasAll(replica);
  }

  #hasAll(replica: string): void {
    // The last one stands for all: a log has no hole.
    const last = this.#checker.committed.at(-1);
    if (last === undefined || this.#has(replica, last.epoch, last.position)) return;
    this.#checker.fail(
      `durability: ${replica} is of the set and lacks ${last.epoch}/${last.position}, which is committed`,
    );
  }

  #sealedChanged({ sealedThrough, checkpoint }: SealedZnode): void {
    const { position, epoch } = sealedThrough;
    const entry = this.#checker.committed[position - 1];
    if (position > 0 && entry?.epoch !== epoch) {
      this.#checker.fail(`sealing: ${epoch}/${position} is sealed and not committed`);
    }
    const live = this.#tree.list(paths.segments).map(({ data }) => data as SegmentRef);
    const all = checkpoint === undefined ? live : [...live, checkpoint];
    for (const replica of this.shard.inSync) {
      const disk = this.#disks.get(replica);
      if (disk === undefined || disk.isRotten) continue;
      for (const { uuid } of all) {
        if (disk.files.has(uuid)) continue;
        this.#checker.fail(`sealing: ${replica} is of the set and lacks segment ${uuid}`);
      }
    }
  }

  #has(replica: string, epoch: number, position: number): boolean {
    const disk = this.#disks.get(replica);
    if (disk === undefined || disk.isRotten) return true;
    return position <= disk.log.base.position || disk.log.at(position)?.epoch === epoch;
  }
}
