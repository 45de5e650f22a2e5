import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { crc32 } from "node:zlib";
import type { LogEntry } from "../../src/log/commit-log.ts";
import type { EntryHeader } from "../../src/log/entry.ts";

type After = Pick<TestContext, "after">;

const closersOf = new WeakMap<After, (() => Promise<void>)[]>();

/** A directory that goes with the test, after what was opened in it is closed. */
export function temp(t: After): string {
  const directory = mkdtempSync(join(tmpdir(), "logkeep-storage-"));
  const closers: (() => Promise<void>)[] = [];
  closersOf.set(t, closers);
  t.after(async () => {
    for (const close of closers.reverse()) await close();
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Closes at the end of the test, before its directory goes. */
export function closeAfter(t: After, close: () => Promise<void>): void {
  closersOf.get(t)!.push(close);
}

/** A records entry at a position of epoch 1, whose body is the text. */
export function entryOf(
  shard: number,
  position: number,
  text: string,
  over: Partial<EntryHeader> = {},
): LogEntry {
  const body = Buffer.from(text);
  const header: EntryHeader = {
    kind: "records",
    shard,
    epoch: 1,
    position,
    previousEpoch: position === 1 ? 0 : 1,
    previousPosition: position - 1,
    committed: position - 1,
    receiptMs: 1_700_000_000_000 + position,
    bodyLength: body.length,
    bodyCrc: crc32(body),
    rows: 1,
    timeMin: { ms: -5, ns: 7 },
    timeMax: { ms: 1_700_000_000_000, ns: 999_999 },
    tenant: "default",
    class: "default",
    internal: false,
    ...over,
  };
  return { header, body };
}
