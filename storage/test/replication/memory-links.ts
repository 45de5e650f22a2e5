import assert from "node:assert/strict";
import { deserialize, serialize } from "node:v8";
import type { ReplicaLinks } from "../../src/replication/links.ts";

/** How many messages wait at a link before it takes no more. */
const queueMax = 64;

/** Byte arrays that a link between nodes takes in one message. */
const arraysMax = 4_096;

interface Waiting {
  readonly head: Buffer;
  readonly bytes: Buffer;
}

/** Links between stores of one process: what goes over them is copied, arrives in a later turn, and is lost when a link is cut. */
export class MemoryNet {
  readonly #ends = new Map<string, MemoryLinks>();
  #linkNext = 1;

  /** A replica's end; linked to all others at once. */
  join(replica: string): MemoryLinks {
    const end = new MemoryLinks(this, replica);
    const others = [...this.#ends.keys()];
    this.#ends.set(replica, end);
    for (const other of others) this.connect(replica, other);
    return end;
  }

  leave(replica: string): void {
    for (const other of this.#ends.keys()) if (other !== replica) this.cut(replica, other);
    this.#ends.delete(replica);
  }

  connect(a: string, b: string): void {
    const link = this.#linkNext++;
    this.#ends.get(a)?.linked(b, link);
    this.#ends.get(b)?.linked(a, link);
  }

  cut(a: string, b: string): void {
    this.#ends.get(a)?.linked(b, undefined);
    this.#ends.get(b)?.linked(a, undefined);
  }

  end(replica: string): MemoryLinks | undefined {
    return this.#ends.get(replica);
  }
}

export class MemoryLinks implements ReplicaLinks {
  readonly replica: string;
  readonly #net: MemoryNet;
  readonly #links = new Map<string, { readonly link: number; waiting: Waiting[] }>();
  readonly #onMessage = new Set<Parameters<ReplicaLinks["onMessage"]>[0]>();
  readonly #onLink = new Set<Parameters<ReplicaLinks["onLink"]>[0]>();
  readonly #onRoom = new Set<(replica: string) => void>();
  /** Bytes that came in. */
  receivedBytes = 0;
  /** Runs before each message: where tests fail it. */
  beforeSend: (bytes: readonly Uint8Array[]) => void = () => undefined;

  constructor(net: MemoryNet, replica: string) {
    this.#net = net;
    this.replica = replica;
  }

  send(
    replica: string,
    message: object,
    bytes: readonly Uint8Array[],
    sent?: (() => void) | undefined,
  ): boolean {
    this.beforeSend(bytes);
    assert.ok(bytes.length <= arraysMax, `${bytes.length} arrays are too many for a link`);
    const to = this.#links.get(replica);
    if (to === undefined || to.waiting.length >= queueMax) return false;
    to.waiting.push({ head: serialize(message), bytes: Buffer.concat(bytes) });
    setImmediate(() => this.#deliver(replica, to.link));
    sent?.();
    return true;
  }

  onMessage(listener: Parameters<ReplicaLinks["onMessage"]>[0]): () => void {
    this.#onMessage.add(listener);
    return () => this.#onMessage.delete(listener);
  }

  onLink(listener: Parameters<ReplicaLinks["onLink"]>[0]): () => void {
    this.#onLink.add(listener);
    for (const [replica, { link }] of this.#links) listener(replica, link);
    return () => this.#onLink.delete(listener);
  }

  onRoom(listener: (replica: string) => void): () => void {
    this.#onRoom.add(listener);
    return () => this.#onRoom.delete(listener);
  }

  linked(replica: string, link: number | undefined): void {
    if (link === undefined) this.#links.delete(replica);
    else this.#links.set(replica, { link, waiting: [] });
    for (const tell of this.#onLink) tell(replica, link);
  }

  received(from: string, link: number, { head, bytes }: Waiting): void {
    if (this.#links.get(from)?.link !== link) return;
    this.receivedBytes += bytes.length;
    let holders = 1;
    // Nothing of it is the receiver's any more.
    const give = (): void => {
      if (--holders === 0) bytes.fill(0xdd);
    };
    const keep = (): (() => void) => {
      holders++;
      return give;
    };
    for (const tell of this.#onMessage) tell(from, link, deserialize(head) as object, bytes, keep);
    give();
  }

  #deliver(replica: string, link: number): void {
    const to = this.#links.get(replica);
    if (to?.link !== link) return;
    const wasFull = to.waiting.length >= queueMax;
    const first = to.waiting.shift();
    if (first !== undefined) this.#net.end(replica)?.received(this.replica, link, first);
    if (wasFull) for (const tell of this.#onRoom) tell(replica);
  }
}
