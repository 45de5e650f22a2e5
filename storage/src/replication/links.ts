/**
 * One-way messages to other replicas, filled in over whatever joins the nodes. Messages of one link arrive in the order
 * in which they were sent, each once or not at all; a link that broke is another link, and what of its end was lost is unknown.
 */
export interface ReplicaLinks {
  /**
   * Sends to a replica, `nodeId/diskId`. False: there is no link now, or what is queued on it is as much as may be; nothing
   * was taken then, and `onRoom` tells when to try again. Once taken, `message` and `bytes` must stay as they are until
   * `sent` is called: when they were copied out, or the link broke.
   */
  send(
    replica: string,
    message: object,
    bytes: readonly Uint8Array[],
    sent?: (() => void) | undefined,
  ): boolean;
  /**
   * Calls with what comes; `bytes` are the sender's one behind the other, and only valid in the call, or where `keep` is called in it, until
   * what that returns is called, once; what never is given back is left to the collector. `link` is the number that `onLink` told before.
   * Returns how to stop.
   */
  onMessage(
    listener: (
      from: string,
      link: number,
      message: object,
      bytes: Buffer,
      keep: () => () => void,
    ) => void,
  ): () => void;
  /**
   * Calls when a link to a replica is there, with a number that no earlier one had in this process, and with `undefined`
   * when it is gone; at once with each that is there now. Returns how to stop.
   */
  onLink(listener: (replica: string, link: number | undefined) => void): () => void;
  /** Calls when a link whose `send` was refused for its queue can take more. Returns how to stop. */
  onRoom(listener: (replica: string) => void): () => void;
}
