import { deserialize, serialize } from "node:v8";
import type { PeerMessage, Peers } from "../../../cluster/src/peers/peers.ts";
import { readHead } from "../../../cluster/src/peers/read-head.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { TailListener } from "../../../query/src/tail/tail-hub.ts";
import type { TailChunk, TailPlan } from "../../../query/src/tail/tail-plan.ts";
import { followedBytesMax, followedEntryBytes, followersMax } from "./limits.ts";
import {
  type FollowBegins,
  type FollowedEntry,
  type FollowedPlan,
  followSchema,
  tailMethod,
} from "./tail-messages.ts";

/** Who matches committed records at this node. */
export interface FollowedNode {
  /** Positions of the shards that are served here, and from then on the listener; both in one turn of the loop. */
  listen(listener: TailListener): ReadonlyMap<number, number>;
  unlisten(listener: TailListener): void;
}

/** Lets other nodes follow what is committed here. */
export function hostTails(peers: Pick<Peers, "handleStream">, node: FollowedNode): void {
  let number = 0;
  let open = 0;
  peers.handleStream(tailMethod, async function* (from, { head, bytes: [sent] }, signal) {
    const { tenant } = readHead(followSchema, head);
    if (sent === undefined) throw new ServiceError("request.malformed", "a plan was not sent");
    if (open >= followersMax) {
      throw new ServiceError("query.busy", "too many tails of other nodes are open", {
        followersMax,
      });
    }
    const id = `node-${from.nodeId}-${number++}`;
    const plan: TailPlan = { ...(deserialize(sent) as FollowedPlan), id };
    open++;
    const follower = new Follower(tenant, plan);
    const positions = node.listen(follower);
    const leave = (): void => follower.leave();
    signal.addEventListener("abort", leave, { once: true });
    try {
      const begins: FollowBegins = { positions: [...positions] };
      yield { head: {}, bytes: [serialize(begins)] } satisfies PeerMessage;
      while (!signal.aborted) {
        const entries = await follower.next();
        if (entries.length === 0) return;
        yield { head: {}, bytes: [serialize(entries)] } satisfies PeerMessage;
      }
    } finally {
      signal.removeEventListener("abort", leave);
      node.unlisten(follower);
      open--;
    }
  });
}

/** Entries that wait to be sent to one node. Who is too slow is left, and begins again where it was. */
class Follower implements TailListener {
  readonly tenant: string;
  readonly plan: TailPlan;
  #entries: FollowedEntry[] = [];
  #bytes = 0;
  #hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(tenant: string, plan: TailPlan) {
    this.tenant = tenant;
    this.plan = plan;
  }

  offer(shard: number, position: number, chunk: TailChunk | undefined): void {
    const last = this.#entries.at(-1);
    // That nothing matched is said once for a run of entries.
    if (chunk === undefined && last?.shard === shard && last.chunk === undefined) {
      this.#entries.pop();
      this.#bytes -= followedEntryBytes;
    }
    this.#entries.push({ shard, position, chunk });
    this.#bytes += followedEntryBytes + (chunk?.bytes.byteLength ?? 0);
    if (this.#bytes > followedBytesMax) this.leave();
    this.#wake();
  }

  missed(): void {
    this.leave();
  }

  leave(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** What has come since, together; nothing once it has ended. */
  async next(): Promise<readonly FollowedEntry[]> {
    if (this.#entries.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#hasEnded) return [];
    this.#bytes = 0;
    return this.#entries.splice(0);
  }
}
