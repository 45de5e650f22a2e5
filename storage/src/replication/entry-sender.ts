import type { LogEntry } from "../log/commit-log.ts";
import type { StoreContext } from "../shard/context.ts";
import type { Shard } from "../shard/shard.ts";
import type { Message } from "./core/messages.ts";
import type { Entry } from "./core/types.ts";
import type { Outbox } from "./outbox.ts";
import { loggedOf, OwnEntry } from "./own-entry.ts";
import { entriesEncode } from "./wire.ts";

interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Sends what the core says; the bodies of entries go as they lie, and those in the arena are kept there until they are gone out. */
export function sendMessage(
  from: { readonly context: StoreContext; readonly shard: Shard; readonly outbox: Outbox },
  to: { readonly replica: string; readonly link: number },
  message: Message,
): void {
  const { context, outbox, shard } = from;
  if (message.kind !== "append" || message.entries.length === 0) {
    outbox.send(to, { shard: shard.id, message }, [], () => undefined);
    return;
  }
  const kept: Place[] = [];
  const release = (): void => {
    for (const { offset, length } of kept.splice(0)) context.arena.release(offset, length);
  };
  let bytes: readonly Uint8Array[];
  try {
    bytes = entriesEncode(message.entries.map((entry) => keptEntry(context, shard, entry, kept)));
  } catch (thrown) {
    release();
    throw thrown;
  }
  const front: Message = { ...message, entries: [] };
  outbox.send(to, { shard: shard.id, message: front }, bytes, release);
}

function keptEntry(
  { arena, log }: StoreContext,
  shard: Shard,
  { body, position }: Entry,
  kept: Place[],
): LogEntry {
  const place = body instanceof OwnEntry ? body.meaning.batch : undefined;
  if (place === undefined) return loggedOf(body);
  if (shard.holds(position)) {
    arena.retain(place.offset, place.length);
    kept.push(place);
    return loggedOf(body);
  }
  // It was sealed since: its memory is another's by now.
  const read = log.read(shard.id, position);
  if (read === undefined) throw new Error("an entry is in the log until all have it");
  return read;
}
