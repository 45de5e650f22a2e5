import { type AuditEntry, auditEntrySchema } from "../../../cluster/src/audit/entry.ts";
import type { AuditSink, StoredLink } from "../../../cluster/src/audit/folder.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import { type ArenaOwner, ArenaWriter } from "../../../storage/src/shard/arena.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import { type InternalRow, InternalStream } from "../alerts/internal-batch.ts";
import { journalTenant } from "../alerts/journal.ts";
import { auditArenaWriter, auditRoomMs } from "./limits.ts";

/** The journal's stream in storage, and its retention class. */
export const auditStream = "_audit";

export interface AuditSinkDeps {
  readonly store: Pick<Store, "append" | "lastStored" | "room">;
  readonly arena: ArenaOwner;
  readonly shardCount: number;
  /** Of the cluster: the journal of another starts anew. */
  readonly clusterId: string;
  readonly nowMs: () => number;
}

/** Folded entries as records of the stream `_audit`, all of one shard. */
export class StoreAuditSink implements AuditSink, Closable {
  readonly #deps: AuditSinkDeps;
  readonly #writer: ArenaWriter;
  readonly #stream: InternalStream;
  readonly #source: string;

  constructor(deps: AuditSinkDeps) {
    this.#deps = deps;
    const { arena, clusterId, shardCount } = deps;
    this.#source = `audit/${clusterId}`;
    this.#writer = new ArenaWriter(arena.buffers, auditArenaWriter);
    this.#stream = new InternalStream({
      ...{ tenant: journalTenant, name: auditStream, shardCount, arena: this.#writer },
    });
  }

  async lastStored(): Promise<bigint> {
    const ends = await this.#deps.store.lastStored(this.#source);
    return ends.get(this.#stream.shard) ?? 0n;
  }

  async store(links: readonly StoredLink[], previous: bigint): Promise<void> {
    const { store, arena, nowMs } = this.#deps;
    await store.room(auditRoomMs);
    const receivedMs = nowMs();
    const part = this.#stream.batchOf(
      links.map((link) => rowOf(link, receivedMs)),
      receivedMs,
    );
    if (part === undefined) throw new ServiceError("ingest.busy", "there is no room in memory");
    const sourceRange = {
      ...{ source: this.#source, previous, from: links[0]?.at ?? previous },
      through: links.at(-1)?.at ?? previous,
    };
    const stored = store.append([{ ...part, sourceRange }]);
    this.#writer.close();
    arena.closed(this.#writer.takeClosed());
    const [result] = await stored;
    if (result?.kind !== "source-refused") return;
    throw new ServiceError("ingest.unavailable", "the audit journal was folded by another", {
      held: String(result.held),
    });
  }

  close(): Promise<void> {
    this.#writer.close();
    this.#deps.arena.closed(this.#writer.takeClosed());
    return Promise.resolve();
  }
}

/** Times ascend with the numbers, so that the order of times is that of the journal. */
function rowOf({ number, czxid, hash, entry: text }: StoredLink, receivedMs: number): InternalRow {
  const entry = entryOf(text);
  const by = entry?.by === "" ? "(no key)" : (entry?.by ?? "");
  return {
    time: { ms: receivedMs, ns: number % 1_000_000 },
    fields: {
      _msg:
        entry === undefined
          ? "an entry that cannot be read"
          : `${by} ${entry.action} ${entry.target}`,
      ...{ number: String(number), czxid, hash, entry: text },
      ...{ by: entry?.by ?? "", action: entry?.action ?? "", target: entry?.target ?? "" },
    },
  };
}

/** Undefined for what somebody put there by hand: it is journalled as it is. */
function entryOf(text: string): AuditEntry | undefined {
  try {
    return auditEntrySchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
