import type { Plant } from "./plant.ts";

/** A bug that once lost txns in ZooKeeper, and what brings it back here. */
export interface Fault {
  readonly bug: string;
  readonly what: string;
  readonly plants: readonly Plant[];
  /** Planted in the simulated host: the core has no such code. */
  readonly inHost?: string;
}

const durableFirst =
  "    if (log.durable < this.#historyEnd) return;\n    if (epochs.current < this.#epoch) {\n      if (this.#isEpochAsked || epochs";

/** What would find a hole in a history where it appears; ZooKeeper had no such check when the bug was there. */
const withoutOrderCheck: readonly Plant[] = [
  {
    file: "log-tail.ts",
    from: 'assert(this.isNext(proposal.zxid), "a log skips no txn");',
    to: "",
  },
  { file: "learner.ts", from: "|| !log.isNext(proposal.zxid)", to: "" },
];

export const faults: readonly Fault[] = [
  {
    bug: "ZOOKEEPER-3911",
    what: "a follower acknowledges the leader's history before it is on disk",
    plants: [
      {
        file: "learner.ts",
        from: durableFirst,
        to: durableFirst.replace("log.durable", "log.last"),
      },
    ],
  },
  {
    bug: "ZOOKEEPER-4646",
    what: "a follower acknowledges a txn that its log has only been handed",
    plants: [
      {
        file: "learner.ts",
        from: "out.append = [...out.append, ...added];",
        to: "out.append = [...out.append, ...added];\n    log.written(log.last);\n    this.#ack(out);",
      },
    ],
  },
  {
    bug: "ZOOKEEPER-4643",
    what: "the current epoch is written before the txns that belong to it",
    plants: [
      {
        file: "learner.ts",
        from: durableFirst,
        to: durableFirst.slice(durableFirst.indexOf("    if (epochs")),
      },
      {
        file: "learner.ts",
        from: "    this.#isAcknowledged = true;",
        to: "    if (log.durable < this.#historyEnd) return;\n    this.#isAcknowledged = true;",
      },
    ],
  },
  {
    bug: "ZOOKEEPER-4685",
    what: "a txn is acknowledged before the leader's history is",
    plants: [
      {
        file: "learner.ts",
        from: "if (!this.#isAcknowledged || isObserver ||",
        to: "if (this.#historyEnd === undefined || isObserver ||",
      },
    ],
  },
  {
    bug: "ZOOKEEPER-4925",
    what: "the txns kept for learners have a hole",
    plants: [
      {
        file: "log-tail.ts",
        from: "for (const proposal of taken) this.#recent.push(proposal);",
        to: "for (const proposal of taken) if (proposal !== taken.at(-2)) this.#recent.push(proposal);",
      },
      ...withoutOrderCheck,
    ],
  },
  {
    bug: "ZOOKEEPER-3642",
    what: "a snapshot that came in part is taken for whole",
    plants: [],
    inHost: "3642",
  },
  {
    bug: "ZOOKEEPER-3127",
    what: "a snapshot is labelled with a txn that it holds in part",
    plants: [],
    inHost: "3127",
  },
  {
    bug: "ZOOKEEPER-3144",
    what: "a snapshot is newer than its label, and replay does things twice",
    plants: [],
    inHost: "3144",
  },
  {
    bug: "ZOOKEEPER-1154",
    what: "a learner keeps txns that the leader's history lacks",
    plants: [
      { file: "sync-plan.ts", from: "common === zxidLast", to: "common <= zxidLast" },
      ...withoutOrderCheck,
    ],
  },
  {
    bug: "ZOOKEEPER-2307",
    what: "an epoch is promised before the promise is on disk",
    plants: [
      {
        file: "learner.ts",
        from: "out.epochWrite = epochs.promise(epoch);\n",
        to: "out.epochWrite = epochs.promise(epoch);\n      this.#ackEpoch(epochs.current, out);\n",
      },
    ],
  },
  {
    bug: "an fsync that failed and was asked for again",
    what: "what the disk refused is taken for written",
    plants: [],
    inHost: "fsync",
  },
  {
    bug: "a record that rotted",
    what: "a damaged record of the log is passed over at the start",
    plants: [],
    inHost: "rot",
  },
  {
    bug: "a touch that is lost",
    what: "a learner does not tell of sessions that were heard of after its last pong",
    plants: [
      {
        file: "learner.ts",
        from: "    this.#touched.set(sessionId, timeoutMs);\n",
        to: "    if (this.#touched.size === 0) this.#touched.set(sessionId, timeoutMs);\n",
      },
    ],
  },
  {
    bug: "ZOOKEEPER-1412",
    what: "an answer shows a change before the watch's event",
    plants: [],
    inHost: "event-late",
  },
  {
    bug: "a session that has moved",
    what: "what a client left at one member takes effect after what it asked of the next",
    plants: [],
    inHost: "session-moved",
  },
];
