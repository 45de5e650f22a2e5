import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { crc32 } from "node:zlib";
import type { LogEntry } from "../../src/log/commit-log.ts";
import type { EntryHeader } from "../../src/log/entry.ts";

/** A directory that goes with the test. */
export function temp(t: Pick<TestContext, "after">): string {
  const directory = mkdtempSync(join(tmpdir(), "logkeep-storage-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
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
