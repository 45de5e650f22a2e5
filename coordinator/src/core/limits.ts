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

/** Committed txns kept at hand, so that a learner that is this far behind gets txns and not a snapshot. */
export const recentMaxDefault = 500;

/** Messages kept for a learner while its disk truncates or installs; beyond it the link is given up. */
export const heldMessagesMax = 100_000;
