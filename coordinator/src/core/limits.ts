/** How long a peer waits for what, in ticks of the host. */
export interface Timing {
  /** A quorum's choice is held open this long for a better candidate, unless everyone has spoken. */
  readonly settleTicks: number;
  /** A peer that looks says so again at growing intervals up to this: a peer that starts later has heard nothing. */
  readonly repeatTicksMax: number;
  /** A leader pings its learners, and counts whether a quorum answers, this often. */
  readonly pingTicks: number;
  /** A learner that was turned away asks its leader again for this long: it may not know yet that it leads. */
  readonly connectTicks: number;
  /** From the election to a quorum with the leader's history. */
  readonly initLimitTicks: number;
  /** A link that is silent this long is given up. */
  readonly syncLimitTicks: number;
}

/** For ticks of 100 ms: ZooKeeper's tickTime 2000, initLimit 10, syncLimit 5. */
export const timingDefault: Timing = {
  settleTicks: 2,
  repeatTicksMax: 16,
  pingTicks: 10,
  connectTicks: 20,
  initLimitTicks: 200,
  syncLimitTicks: 100,
};

/**
 * Committed txns kept at hand, so that a learner that is this far behind gets txns and not a snapshot: a restart
 * takes a second or two, and an ensemble takes some ten thousand writes in one.
 */
export const recentMaxDefault = 50_000;

/** The same in bytes, as the host counts them: small beside a tree that takes so many writes. */
export const recentBytesMaxDefault = 16 * 1024 * 1024;

/** Messages kept for a learner while its disk truncates or installs; beyond it the link is given up. */
export const heldMessagesMax = 100_000;

/** The same in bytes of their txns: ten seconds of a disk's full speed. */
export const heldBytesMax = 256 * 1024 * 1024;

/** A learner that is given this much that is not committed gives its leader up: no leader has so much under way. */
export const unappliedBytesMax = 256 * 1024 * 1024;

/**
 * A learner that says it promised an epoch this far above its leader's own is not counted. Epochs grow by one with each
 * election, so no member is so far ahead; and one that was believed would use up all there are.
 */
export const epochLeadMax = 65_536;

/** Of elections a peer has been in. One more is exact still, and goes through every reader of the wire. */
export const roundMax = 2 ** 52;

/** Links to a leader, said who they are or not: 255 ids, and one that takes another's place each. */
export const linksMax = 512;

/** Of those, links of ids that are no member's: they may be about to join, and leave every member its place. */
export const strangersMax = 64;

/** Syncs of all learners that wait for a round of pings; who asks for more is given up. */
export const syncsMax = 100_000;

/** Bodies in one `propose`: a turn of a host's loop has fewer. */
export const proposeMax = 65_536;
