/** Counters since the start, and what there is now; for `/metrics`. */
export interface AlertFigures extends Readonly<Tally> {
  readonly rules: number;
  readonly pending: number;
  readonly firing: number;
  /** Deliveries that have not ended. */
  readonly outboxWaiting: number;
}

/** What is counted as it happens. */
export class Tally {
  /** Evaluations of thresholds, failed ones among them. */
  evaluations = 0;
  evaluationFailures = 0;
  /** Time that they took together, in seconds. */
  evaluationSeconds = 0;
  /** Records that matched, of match rules. */
  matched = 0;
  /** Deliveries that ended, by how. */
  delivered = 0;
  refused = 0;
  expired = 0;
  /** Attempts to deliver that failed and are made again. */
  failed = 0;
}
